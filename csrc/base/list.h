/* An intrusive, circular, doubly linked list. One of the links is the list's
 * own. A member can be removed without knowing which list it is in. */
#ifndef BF_LIST_H
#define BF_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct bf_link {
    struct bf_link *prev, *next;
};

/* Makes an empty list, or a link that is in no list. */
static inline void bf_list_init(struct bf_link *link) {
    link->prev = link->next = link;
}

static inline bool bf_list_is_empty(const struct bf_link *list) {
    return list->next == list;
}

static inline void bf_list_remove(struct bf_link *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    bf_list_init(link);
}

/* Puts a link that is in no list before another: at the end, where `at` is the
 * list's own. */
static inline void bf_list_insert_before(struct bf_link *at,
                                         struct bf_link *link) {
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}

/* Puts it at the beginning of a list. */
static inline void bf_list_push_front(struct bf_link *list,
                                      struct bf_link *link) {
    bf_list_insert_before(list->next, link);
}

/* Moves it from the list it is in to the end of another. */
static inline void bf_list_move(struct bf_link *link, struct bf_link *list) {
    bf_list_remove(link);
    bf_list_insert_before(list, link);
}

/* The first member, or NULL. Types that are kept in a list have their link as
 * the first field, so that a link's address is its owner's. */
static inline void *bf_list_first(const struct bf_link *list) {
    return bf_list_is_empty(list) ? NULL : (void *)list->next;
}

#endif
