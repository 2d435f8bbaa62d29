--- Alert rules of Prometheus for the metrics of a site. The expressions keep the label
-- account where there is one: it is there where a site has several accounts.

return [==[
# Alerts for the metrics of bitfront.nginx. "bitfront nginx-conf --alerts" prints this
# file. In prometheus.yml:
#
#   rule_files: [bitfront-alerts.yml]
#   scrape_configs:
#     - job_name: bitfront
#       scrape_interval: 15s
#       scrape_timeout: 15s  # the first scrape waits for a call: 10 s, see timeout
#       static_configs: [{ targets: ["127.0.0.1:8080"] }]
#
# To try a change: promtool check rules bitfront-alerts.yml

groups:
  - name: bitfront
    rules:
      # 60 is the default of the site's option stale. Balances older than ttl + stale are
      # not shown, and then have no age. Change it with stale; it must be more than ttl
      # and than scrape_interval. It is in the description too. A scrape that fails, since
      # the exchange is slow, does not end the alert: hence the last 2 minutes.
      - alert: BitfrontBalancesStale
        expr: >-
          bitfront_cache_age_seconds > 60
          or (max_over_time(bitfront_up[2m]) unless bitfront_cache_age_seconds)
        for: 2m
        labels:
          severity: critical
        annotations:
          summary: >-
            No recent balances at {{ $labels.instance }}
            {{- with $labels.account }}, account {{ . }}{{ end }}
          description: >-
            The balances are older than 60 s, or there are none. Read nginx's error log for
            the cause, and run "bitfront doctor" with the credentials of the site.

      # 0.5 is half of the calls of 5 minutes.
      - alert: BitfrontExchangeFailing
        expr: >-
          sum without (kind) (rate(bitfront_exchange_errors_total[5m]))
          / rate(bitfront_exchange_calls_total[5m]) > 0.5
        for: 2m
        labels:
          severity: warning
        annotations:
          summary: >-
            {{ $value | humanizePercentage }} of the calls fail at {{ $labels.instance }}
            {{- with $labels.account }}, account {{ . }}{{ end }}
          description: >-
            The label kind of bitfront_exchange_errors_total tells whose fault it is. auth,
            permission, signature: check the key at the exchange. config, clock: run
            "bitfront doctor". network, tls, timeout: check the way to the exchange. server,
            maintenance: wait for the exchange.

      # 0.8 of the limit, on average. A ttl of 2 needs 30 calls in a minute: half of the
      # 60 that the exchange permits.
      - alert: BitfrontLimitNearlyUsed
        expr: avg_over_time(bitfront_exchange_limit_used_ratio[10m]) > 0.8
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: >-
            {{ $value | humanizePercentage }} of the exchange's limit is used at
            {{ $labels.instance }}{{ with $labels.account }}, account {{ . }}{{ end }}
          description: >-
            Calls beyond the limit wait, or fail with rate_limit. Raise the ttl of the site,
            or give other programs that use this API key one of their own.

      # A target that had these metrics within a week and cannot be scraped; or no target
      # has them.
      - alert: BitfrontSiteDown
        expr: >-
          (up == 0 and on (job, instance) count_over_time(bitfront_up[1w]))
          or on () absent(bitfront_up)
        for: 2m
        labels:
          severity: critical
        annotations:
          summary: >-
            No metrics of bitfront{{ with $labels.instance }} from {{ . }}{{ end }}
          description: >-
            Prometheus cannot scrape the site; its page of targets says why. nginx has to
            run, the location to permit the address of Prometheus, the option hosts to have
            the name of the target, and scrape_timeout to be longer than a call.
]==]
