#include "auth/process_output.h"

#include "base/clock.h"
#include "base/date.h"
#include "json/scan.h"

#define CODE "credential_process"

/* The members that it may have. Helpers for AWS print the last two, which mean
 * nothing to this exchange. Any other name may be one of these that is spelled
 * wrongly. */
enum member {
    VERSION,
    KEY,
    SECRET,
    EXPIRATION,
    SESSION_TOKEN,
    ACCOUNT_ID,
    MEMBERS
};

static const char *const names[MEMBERS] = {"Version",         "AccessKeyId",
                                           "SecretAccessKey", "Expiration",
                                           "SessionToken",    "AccountId"};

struct output {
    struct bf_scan scan;
    struct bf_error *error;
    bool has[MEMBERS];
    double version;
    struct bf_string values[MEMBERS]; /* of those that are strings */
};

static bool refuse(const struct output *output, enum member member,
                   const char *what) {
    bf_error_set(output->error, BF_CONFIG, CODE, "printed %s, which %s",
                 names[member], what);
    return false;
}

static enum member member_of(const struct bf_string *name) {
    enum member member = VERSION;
    while (member < MEMBERS &&
           !bf_string_is(name, names[member], strlen(names[member])))
        member++;
    return member;
}

/* False with the scan's problem or the error set. */
static bool read_value(struct output *output, enum member member) {
    struct bf_scan *scan = &output->scan;
    struct bf_span number;
    char first = bf_scan_peek(scan);
    if (member >= SESSION_TOKEN)
        return bf_scan_skip(scan);
    if (member == VERSION)
        return bf_is_digit(first)
                   ? bf_scan_number(scan, &number, &output->version)
                   : refuse(output, member, "must be the number 1");
    return first == '"' ? bf_scan_string(scan, &output->values[member])
                        : refuse(output, member, "must be a string");
}

static bool read_members(struct output *output) {
    struct bf_container container;
    struct bf_string name = {NULL, 0, false};
    (void)bf_scan_open(&output->scan, &container);
    while (bf_scan_member(&output->scan, &container, &name)) {
        enum member member = member_of(&name);
        if (member == MEMBERS) /* the name may be a secret and is not shown */
            bf_error_set(output->error, BF_CONFIG, CODE,
                         "printed a member that is none of Version, "
                         "AccessKeyId, SecretAccessKey and Expiration");
        if (member == MEMBERS || !read_value(output, member))
            return false;
        output->has[member] = true;
    }
    return !output->scan.problem;
}

static bool read_json(struct output *output) {
    struct bf_scan *scan = &output->scan;
    if (bf_scan_peek(scan) != '{')
        bf_error_set(output->error, BF_CONFIG, CODE, "printed %s",
                     scan->at == scan->end ? "nothing" : "no object of JSON");
    else if (read_members(output))
        (void)bf_scan_end(scan);
    if (scan->no_memory)
        bf_error_no_memory(output->error);
    else if (scan->problem)
        bf_error_set(output->error, BF_CONFIG, CODE,
                     "printed what is no valid JSON: %s", scan->problem);
    return output->error->kind == BF_OK;
}

static bool check_members(const struct output *output) {
    for (enum member member = VERSION; member < EXPIRATION; member++)
        if (!output->has[member])
            bf_error_set(output->error, BF_CONFIG, CODE, "printed no %s",
                         names[member]);
    if (output->has[VERSION] && output->version != 1)
        (void)refuse(output, VERSION, "must be the number 1");
    return output->error->kind == BF_OK;
}

/* Decodes the string where it is: no byte is written before it was read. The
 * text is the caller's, who may write into it. */
static struct bf_span decoded(const struct output *output, enum member member) {
    const struct bf_string *value = &output->values[member];
    struct bf_span span = {value->text, value->len};
    if (value->escaped)
        span.len = bf_string_decode(value, (char *)value->text);
    return span;
}

static bool read_expiration(const struct output *output, int64_t *expires_at) {
    struct bf_span text;
    *expires_at = 0;
    if (!output->has[EXPIRATION])
        return true;
    text = decoded(output, EXPIRATION);
    *expires_at = bf_date_rfc3339(text.text, text.len);
    if (*expires_at < 0)
        return refuse(output, EXPIRATION,
                      "must be a time such as 2026-01-31T09:30:00Z");
    return *expires_at > bf_wall_ms() ||
           refuse(output, EXPIRATION, "has passed: they are of no use now");
}

static struct bf_credentials *make(const struct output *output) {
    static const struct bf_credential_names of = {"AccessKeyId",
                                                  "SecretAccessKey"};
    struct bf_span values[MEMBERS];
    for (enum member member = KEY; member <= SECRET; member++) {
        const char *what;
        values[member] = decoded(output, member);
        what = bf_credentials_problem(values[member]);
        if (what && !refuse(output, member, what))
            return NULL;
    }
    return bf_credentials_new(values[KEY], values[SECRET], &of, output->error);
}

struct bf_credentials *bf_process_output_read(char *text, size_t len,
                                              int64_t *expires_at,
                                              struct bf_error *error) {
    struct output output = {.error = error};
    struct bf_credentials *credentials = NULL;
    text[len] = '\0';
    bf_scan_init(&output.scan, text, len);
    if (read_json(&output) && check_members(&output) &&
        read_expiration(&output, expires_at))
        credentials = make(&output);
    bf_scan_free(&output.scan);
    return credentials;
}
