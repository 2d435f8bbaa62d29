#include "outcome.h"

#include "verdict.h"

static bool is_whole_envelope(const struct bf_reply *reply) {
    return reply->has_code && reply->has_time && reply->has_zone &&
           reply->has_message;
}

/* A status other than 200 is a failure whatever the body says; the body only
 * has the better words for it when it is the exchange's refusal. */
void bf_outcome_read(struct bf_transfer *t, enum bf_want want,
                     enum bf_amounts amounts) {
    struct bf_reply *reply = &t->reply;
    struct bf_fault fault = {.kind = BF_OK};
    if (t->fault.kind != BF_OK)
        return;
    bf_reply_reset(reply); /* a try before may have run out of memory */
    (void)bf_reply_read(reply, want, amounts, t->body ? t->body : "",
                        t->body_len, &fault);
    if (t->head.status != 200 &&
        (fault.kind != BF_API || !is_whole_envelope(reply)))
        bf_verdict_status(t->head.status, &t->fault);
    else
        t->fault = fault;
}

void bf_outcome_close(struct bf_transfer *t) {
    if (t->fault.kind == BF_API)
        bf_fault_clear(&t->fault);
    if (t->fault.kind != BF_OK)
        return;
    bf_reply_reset(&t->reply);
    bf_fault_set(&t->fault, BF_CLOSED, "closed", "the client is closed");
}
