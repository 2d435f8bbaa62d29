#include "auth/profile.h"

#include "auth/secret_file.h"
#include "auth/words.h"

#include <string.h>

/* ---- the text ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bf_span trim(struct bf_span span) {
    while (span.len > 0 && is_blank(*span.text))
        span.text++, span.len--;
    while (span.len > 0 && is_blank(span.text[span.len - 1]))
        span.len--;
    return span;
}

static bool is(struct bf_span span, const char *text) {
    return span.len == strlen(text) && memcmp(span.text, text, span.len) == 0;
}

enum setting { API_KEY, API_SECRET, PROCESS, BASE_URL, CA_FILE, SETTINGS };

/* A section's values; the text of one that is not set is NULL. */
struct section {
    bool found;
    struct bf_span values[SETTINGS];
};

/* A file that is read line by line. */
struct reader {
    const char *path, *name;    /* the file's, and the selected section's */
    struct bf_account *account; /* what it is stored in; or NULL */
    char *names;                /* of all sections; or NULL */
    size_t names_len;
    bf_check_base_url *check_base_url;
    struct bf_error *error;
    struct bf_span rest;
    unsigned line; /* counts from 1 */
    struct section selected, other, *current;
};

/* Some editors write a mark at the file's beginning. */
static struct bf_span skip_mark(struct bf_span text) {
    static const char mark[] = "\xEF\xBB\xBF";
    const size_t len = sizeof mark - 1;
    if (text.len >= len && memcmp(text.text, mark, len) == 0)
        text.text += len, text.len -= len;
    return text;
}

static bool is_comment(struct bf_span line) {
    return line.len == 0 || *line.text == '#' || *line.text == ';';
}

/* The parts of a line before and behind its first `mark`, trimmed. */
static bool split(struct bf_span line, char mark, struct bf_span *left,
                  struct bf_span *right) {
    const char *at = memchr(line.text, mark, line.len);
    if (!at)
        return false;
    left->text = line.text;
    left->len = (size_t)(at - line.text);
    right->text = at + 1;
    right->len = line.len - left->len - 1;
    *left = trim(*left);
    *right = trim(*right);
    return true;
}

/* Removes the next line from the rest, and trims it. */
static bool next_line(struct reader *reader, struct bf_span *line) {
    if (reader->rest.len == 0)
        return false;
    if (!split(reader->rest, '\n', line, &reader->rest)) {
        *line = trim(reader->rest);
        reader->rest.len = 0;
    }
    reader->line++;
    return true;
}

static bool refuse_line(const struct reader *reader, const char *what) {
    bf_error_set(reader->error, BF_CONFIG, "profile", "%s: line %u %s",
                 reader->path, reader->line, what);
    return false;
}

static bool refuse_repeat(const struct reader *reader, const char *name) {
    bf_error_set(reader->error, BF_CONFIG, "profile",
                 "%s: %s is set twice (line %u)", reader->path, name,
                 reader->line);
    return false;
}

static const char *const setting_names[SETTINGS] = {
    "api_key", "api_secret", "credential_process", "base_url", "ca_file"};

static enum setting setting_of(struct bf_span name) {
    enum setting setting = API_KEY;
    while (setting < SETTINGS && !is(name, setting_names[setting]))
        setting++;
    return setting;
}

/* Copies the value; `text` has room for BF_SETTING_MAX bytes and a NUL. */
static void copy_value(struct bf_span value, char *text) {
    if (value.len > 0)
        memcpy(text, value.text, value.len);
    text[value.len] = '\0';
}

/* What is wrong with the value, or NULL. */
static const char *value_problem(enum setting setting, struct bf_span value) {
    if (setting <= API_SECRET)
        return bf_credentials_problem(value);
    if (value.len == 0)
        return "must not be empty";
    if (value.len > BF_SETTING_MAX)
        return "is too long";
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.text[i] < ' ' || value.text[i] == '\x7f')
            return "has a control character";
    if (setting == CA_FILE && *value.text != '/')
        return "must be an absolute path: ~ is not expanded";
    return setting == PROCESS ? bf_words_problem(value) : NULL;
}

/* Do the two ways to say what the credentials are meet in a section? */
static bool are_mixed(const struct bf_span *values, enum setting setting) {
    if (setting == PROCESS)
        return values[API_KEY].text || values[API_SECRET].text;
    return setting <= API_SECRET && values[PROCESS].text;
}

static bool check_url(const struct reader *reader, struct bf_span value) {
    struct bf_error own = {.kind = BF_OK};
    char url[BF_SETTING_MAX + 1];
    copy_value(value, url);
    if (!reader->check_base_url(url, &own))
        bf_error_set(reader->error, own.kind, own.code, "%s: line %u: %s",
                     reader->path, reader->line, own.text);
    return own.kind == BF_OK;
}

static bool read_setting(const struct reader *reader, struct bf_span name,
                         struct bf_span value) {
    enum setting setting = setting_of(name);
    const char *what;
    if (!reader->current->found)
        return refuse_line(reader, "stands before any [section]");
    if (setting == SETTINGS) /* the name may be a secret and is not shown */
        return refuse_line(reader, "sets what is none of api_key, api_secret, "
                                   "credential_process, base_url and ca_file");
    if (reader->current->values[setting].text)
        return refuse_repeat(reader, setting_names[setting]);
    if (are_mixed(reader->current->values, setting))
        return refuse_line(reader,
                           "sets a second source of the credentials: "
                           "credential_process stands in place of api_key and "
                           "api_secret");
    what = value_problem(setting, value);
    if (what)
        return refuse_line(reader, what);
    reader->current->values[setting] = value;
    return setting != BASE_URL || check_url(reader, value);
}

/* Adds a name to the list; there is room: it is shorter than its line. False
 * where the list has it. */
static bool add_name(struct reader *reader, struct bf_span name) {
    const char *at = reader->names, *end = at + reader->names_len;
    for (const char *line; at < end; at = line + 1) {
        line = memchr(at, '\n', (size_t)(end - at));
        if ((size_t)(line - at) == name.len &&
            memcmp(at, name.text, name.len) == 0)
            return false;
    }
    memcpy(reader->names + reader->names_len, name.text, name.len);
    reader->names_len += name.len;
    reader->names[reader->names_len++] = '\n';
    return true;
}

static bool begin_section(struct reader *reader, struct bf_span name) {
    bool inside = reader->name && is(name, reader->name);
    if ((inside && reader->selected.found) ||
        (reader->names && !add_name(reader, name)))
        return refuse_line(reader, "begins a section again");
    reader->current = inside ? &reader->selected : &reader->other;
    *reader->current = (struct section){.found = true};
    return true;
}

static bool read_line(struct reader *reader, struct bf_span line) {
    struct bf_span left, right;
    if (*line.text != '[' && split(line, '=', &left, &right))
        return read_setting(reader, left, right);
    if (*line.text == '[' && split(line, ']', &left, &right) &&
        is_comment(right))
        return begin_section(
            reader, trim((struct bf_span){left.text + 1, left.len - 1}));
    return refuse_line(reader, "is neither [section] nor name = value");
}

/* Reads all lines. False with the error set where any line is not valid: its
 * writer relies on a line that would be ignored. */
static bool read_lines(struct reader *reader, struct bf_span text) {
    struct bf_span line;
    reader->rest = skip_mark(text);
    reader->current = &reader->other;
    while (next_line(reader, &line))
        if (!is_comment(line) && !read_line(reader, line))
            return false;
    return true;
}

static enum bf_profile store_account(const struct reader *reader) {
    static const struct bf_credential_names names = {"api_key", "api_secret"};
    const struct bf_span *values = reader->selected.values;
    struct bf_account *account = reader->account;
    if (!reader->selected.found)
        return BF_PROFILE_NO_SECTION;
    copy_value(values[BASE_URL], account->base_url);
    copy_value(values[CA_FILE], account->ca_file);
    copy_value(values[PROCESS], account->process);
    account->credentials = NULL;
    if (values[PROCESS].text)
        return BF_PROFILE_READ;
    if (!values[API_KEY].text || !values[API_SECRET].text) {
        bf_error_set(reader->error, BF_CONFIG, "profile",
                     "%s: section [%s] has no %s", reader->path, reader->name,
                     values[API_KEY].text ? "api_secret" : "api_key");
        return BF_PROFILE_ERROR;
    }
    account->credentials = bf_credentials_new(
        values[API_KEY], values[API_SECRET], &names, reader->error);
    return account->credentials ? BF_PROFILE_READ : BF_PROFILE_ERROR;
}

static enum bf_profile read_profile(struct reader *reader) {
    const struct bf_secret_file file = {.path = reader->path,
                                        .name = reader->path,
                                        .code = "profile",
                                        .most = BF_PROFILE_NAMES_MAX - 1};
    struct bf_span text = {NULL, 0};
    enum bf_file got = bf_secret_file_read(&file, &text, reader->error);
    enum bf_profile result = BF_PROFILE_READ;
    if (got != BF_FILE_READ)
        return got == BF_FILE_ABSENT ? BF_PROFILE_NO_FILE : BF_PROFILE_ERROR;
    if (!read_lines(reader, text))
        result = BF_PROFILE_ERROR;
    else if (reader->account)
        result = store_account(reader);
    bf_secret_wipe(text);
    return result;
}

enum bf_profile bf_profile_read(const char *path, const char *name,
                                bf_check_base_url *check_base_url,
                                struct bf_account *account,
                                struct bf_error *error) {
    struct reader reader = {.path = path,
                            .name = name,
                            .account = account,
                            .check_base_url = check_base_url,
                            .error = error};
    return read_profile(&reader);
}

enum bf_profile bf_profile_names(const char *path,
                                 bf_check_base_url *check_base_url,
                                 char names[BF_PROFILE_NAMES_MAX], size_t *len,
                                 struct bf_error *error) {
    struct reader reader = {
        .path = path, .check_base_url = check_base_url, .error = error};
    enum bf_profile result;
    reader.names = names;
    result = read_profile(&reader);
    *len = reader.names_len;
    return result;
}
