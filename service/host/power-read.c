/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "power-read.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/beneath.h"
#include "lib/sysfs.h"
#include "meminfo.h"
#include "wake.h"

#define BLANKS " \t\n"

/* The next word of a text, brackets and all; NULL at its end. */
static const char *word_next(const char **text, size_t *ret_length) {
        const char *word = *text + strspn(*text, BLANKS);
        size_t length = strcspn(word, BLANKS);

        *text = word + length;
        *ret_length = length;
        return length > 0 ? word : NULL;
}

static bool word_is(const char *word, size_t length, const char *wanted) {
        return length == strlen(wanted) && memcmp(word, wanted, length) == 0;
}

static bool word_is_chosen(const char *word, size_t length) {
        return length > 2 && word[0] == '[' && word[length - 1] == ']';
}

bool word_list_has(const WordList *list, const char *wanted) {
        const char *rest = list->text, *word;
        size_t length;

        while ((word = word_next(&rest, &length)))
                if (word_is(word, length, wanted) || (word_is_chosen(word, length) && word_is(word + 1, length - 2, wanted)))
                        return true;
        return false;
}

bool word_list_chose(const WordList *list, const char *wanted) {
        const char *rest = list->text, *word;
        size_t length;

        while ((word = word_next(&rest, &length)))
                if (word_is_chosen(word, length))
                        return word_is(word + 1, length - 2, wanted);
        return false;
}

static void read_words(int root_fd, const char *path, WordList *list) {
        list->known = sysfs_read(root_fd, path, list->text, sizeof list->text) >= 0;
        if (!list->known)
                list->text[0] = 0;
}

/* Whether a word of the kernel's command line is this one, or begins so if it ends with "=". */
static bool command_line_has(const char *text, const char *wanted) {
        bool begins = wanted[strlen(wanted) - 1] == '=';
        const char *word;
        size_t length;

        while ((word = word_next(&text, &length)))
                if (begins ? length > strlen(wanted) && memcmp(word, wanted, strlen(wanted)) == 0 : word_is(word, length, wanted))
                        return true;
        return false;
}

/* "8:3" */
static int device_parse(const char *text, uint32_t *ret_major, uint32_t *ret_minor) {
        const char *colon = strchr(text, ':');
        uint64_t major, minor;
        char first[16];

        if (!colon || (size_t) (colon - text) >= sizeof first)
                return -EINVAL;
        memcpy(first, text, (size_t) (colon - text));
        first[colon - text] = 0;
        if (number_parse_u64(first, &major) < 0 || number_parse_u64(colon + 1, &minor) < 0 ||
            major > UINT32_MAX || minor > UINT32_MAX)
                return -EINVAL;

        *ret_major = (uint32_t) major;
        *ret_minor = (uint32_t) minor;
        return 0;
}

static int read_device(int root_fd, const char *path, uint32_t *ret_major, uint32_t *ret_minor) {
        char text[64];
        ssize_t n;

        n = sysfs_read(root_fd, path, text, sizeof text);
        if (n < 0)
                return (int) n;
        return device_parse(text, ret_major, ret_minor);
}

/* The kernel writes blanks and backslashes in a name as "\040". */
static void unescape(const char *from, size_t length, char *to, size_t size) {
        const char *end = from + length;
        size_t n = 0;

        while (from < end && n + 1 < size) {
                if (*from == '\\' && end - from >= 4 && from[1] >= '0' && from[1] <= '3' &&
                    from[2] >= '0' && from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
                        to[n++] = (char) ((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
                        from += 4;
                } else
                        to[n++] = *from++;
        }
        to[n] = 0;
}

/* A number, with a sign if one is allowed, that is a whole word. */
static int word_to_number(const char *word, size_t length, bool negative_too, int64_t *ret) {
        bool negative = negative_too && length > 0 && *word == '-';
        char digits[24];
        uint64_t number;

        word += negative;
        length -= negative;
        if (length >= sizeof digits)
                return -ERANGE;
        memcpy(digits, word, length);
        digits[length] = 0;
        if (number_parse_u64(digits, &number) < 0 || number > INT64_MAX)
                return -EINVAL;

        *ret = negative ? -(int64_t) number : (int64_t) number;
        return 0;
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && strcmp(text + n - m, end) == 0;
}

/* "NAME TYPE SIZE USED PRIORITY", sizes in KiB. */
static int swap_parse(const char *line, SwapArea *ret) {
        const char *words[5];
        size_t lengths[ELEMENTSOF(words)];
        int64_t size, used;
        SwapArea area = {};

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                words[i] = word_next(&line, lengths + i);
                if (!words[i])
                        return -EINVAL;
        }
        if (words[0][0] != '/' ||
            word_to_number(words[2], lengths[2], false, &size) < 0 ||
            word_to_number(words[3], lengths[3], false, &used) < 0 ||
            word_to_number(words[4], lengths[4], true, &area.priority) < 0 ||
            size > INT64_MAX >> 10 || used > size)
                return -EINVAL;

        unescape(words[0], lengths[0], area.path, sizeof area.path);
        area.file = word_is(words[1], lengths[1], "file");
        area.in_memory = strncmp(area.path, "/dev/zram", strlen("/dev/zram")) == 0;
        area.deleted = ends_with(area.path, " (deleted)");
        area.size_bytes = (uint64_t) size << 10;
        area.used_bytes = (uint64_t) used << 10;

        *ret = area;
        return 0;
}

size_t swaps_parse(const char *text, SwapArea *ret, size_t max) {
        size_t n = 0;

        while (*text && n < max) {
                size_t length = strcspn(text, "\n");
                char line[1024];

                if (length < sizeof line) {
                        memcpy(line, text, length);
                        line[length] = 0;
                        if (swap_parse(line, ret + n) >= 0)
                                n++;
                }
                text += length + (text[length] == '\n');
        }
        return n;
}

/* A file may lie on any device, which only those who may open it learn. */
static void find_device(int root_fd, SwapArea *area) {
        const char *name = strrchr(area->path, '/') + 1;
        char path[sizeof area->path + 32];

        if (area->file || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return;
        snprintf(path, sizeof path, "sys/class/block/%s/dev", name);
        area->device_known = read_device(root_fd, path, &area->major, &area->minor) >= 0;
}

static void read_swaps(int root_fd, PowerFacts *facts) {
        _cleanup_free_ char *text = NULL;

        if (sysfs_read_text(root_fd, "proc/swaps", &text) < 0)
                return;
        facts->swaps_known = true;
        facts->n_swaps = swaps_parse(text, facts->swaps, ELEMENTSOF(facts->swaps));
        for (size_t i = 0; i < facts->n_swaps; i++)
                find_device(root_fd, facts->swaps + i);
}

static void read_memory(int root_fd, PowerFacts *facts) {
        char text[4096];
        uint64_t inactive;
        _cleanup_close_ int fd = -1;

        /* What is wanted stands in the first half. */
        fd = open_beneath(root_fd, "proc/meminfo", O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || sysfs_pread(fd, text, sizeof text) < 0)
                return;
        facts->memory_known = meminfo_find(text, "MemTotal", &facts->memory_bytes) >= 0 &&
                meminfo_find(text, "MemFree", &facts->free_bytes) >= 0 && facts->free_bytes <= facts->memory_bytes;
        facts->anonymous_known = meminfo_find(text, "Active(anon)", &facts->active_bytes) >= 0;
        if (facts->anonymous_known)
                facts->anonymous_bytes = facts->active_bytes + (meminfo_find(text, "Inactive(anon)", &inactive) < 0 ? 0 : inactive);
}

static void read_command_line(int root_fd, PowerFacts *facts) {
        char text[4096];

        if (sysfs_read(root_fd, "proc/cmdline", text, sizeof text) < 0)
                return;
        facts->no_hibernate = command_line_has(text, "nohibernate") || command_line_has(text, "hibernate=no");
        facts->resume_named = command_line_has(text, "resume=");
        facts->resume_offset_named = command_line_has(text, "resume_offset=");
}

static Lockdown read_lockdown(int root_fd) {
        WordList list;

        read_words(root_fd, "sys/kernel/security/lockdown", &list);
        if (word_list_chose(&list, "none"))
                return LOCKDOWN_NONE;
        if (word_list_chose(&list, "integrity"))
                return LOCKDOWN_INTEGRITY;
        if (word_list_chose(&list, "confidentiality"))
                return LOCKDOWN_CONFIDENTIALITY;
        return LOCKDOWN_UNKNOWN;
}

static bool is_there(int root_fd, const char *path) {
        _cleanup_close_ int fd = open_beneath(root_fd, path, O_PATH);

        return fd >= 0;
}

/* From 255 on systemd tells the next start itself where the image is; its unit that
 * reads it there had a parameter before. */
static bool find_resume_by_firmware(int root_fd) {
        return is_there(root_fd, "sys/firmware/efi") &&
                (is_there(root_fd, "usr/lib/systemd/system/systemd-hibernate-resume.service") ||
                 is_there(root_fd, "lib/systemd/system/systemd-hibernate-resume.service"));
}

void power_facts_read(int root_fd, PowerFacts *ret) {
        *ret = (PowerFacts) {};
        read_words(root_fd, "sys/power/state", &ret->state);
        read_words(root_fd, "sys/power/mem_sleep", &ret->mem_sleep);
        read_words(root_fd, "sys/power/disk", &ret->disk);
        ret->resume_known = read_device(root_fd, "sys/power/resume", &ret->resume_major, &ret->resume_minor) >= 0;
        ret->resume_offset_known = sysfs_read_u64(root_fd, "sys/power/resume_offset", &ret->resume_offset) >= 0;
        ret->image_size_known = sysfs_read_u64(root_fd, "sys/power/image_size", &ret->image_size) >= 0;
        read_swaps(root_fd, ret);
        read_memory(root_fd, ret);
        read_command_line(root_fd, ret);
        ret->lockdown = read_lockdown(root_fd);
        ret->resume_by_firmware = find_resume_by_firmware(root_fd);
        ret->alarm_clock = wake_clock_present(root_fd);
}

/* Whether an image on it could be the one that the next start looks for. Of a file, and of a
 * device that the kernel does not list, it is not known. */
static bool may_be_resumed_from(const PowerFacts *facts, const SwapArea *area) {
        if (!facts->resume_known || (facts->resume_major == 0 && facts->resume_minor == 0) || !area->device_known)
                return true;
        return area->major == facts->resume_major && area->minor == facts->resume_minor;
}

static bool is_better(const SwapArea *area, const SwapArea *than) {
        if (area->priority != than->priority)
                return area->priority > than->priority;
        return area->size_bytes - area->used_bytes > than->size_bytes - than->used_bytes;
}

const SwapArea *power_facts_image_swap(const PowerFacts *facts) {
        bool chosen = facts->resume_known && (facts->resume_major != 0 || facts->resume_minor != 0);
        const SwapArea *best = NULL;

        for (size_t i = 0; i < facts->n_swaps; i++) {
                const SwapArea *area = facts->swaps + i;

                if (area->in_memory || area->deleted || !may_be_resumed_from(facts, area))
                        continue;
                /* This very one, whatever else might be it. */
                if (chosen && area->device_known)
                        return area;
                if (!best || is_better(area, best))
                        best = area;
        }
        return best;
}
