/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "sysfs.h"

#define LINE_MAX_BYTES 1024u
#define FILE_MAX_BYTES (256u * 1024u)

typedef struct Setting {
        const char *section;
        const char *key;
        size_t offset;
        uint64_t minimum, maximum, initial;     /* in the key's own unit; none for a word */
        uint64_t factor;                        /* from that unit to the field's; 0 for a word */
} Setting;

#define SEC UINT64_C(1000000)
#define MSEC UINT64_C(1000)

/* Every setting there is; berthd.conf(5) tells the same, and a test compares. */
static const Setting settings[] = {
        { "Log", "Level", offsetof(Config, log_level), 0, 0, LOG_INFO, 0 },
        { "Authorization", "PendingPerUser", offsetof(Config, pending_per_user), 1, 64, 8, 1 },
        { "Authorization", "PendingTotal", offsetof(Config, pending_total), 1, 100, 64, 1 },
        { "Authorization", "TimeoutSec", offsetof(Config, authorization_timeout_usec), 16, 300, 30, SEC },
        { "Authorization", "InteractiveTimeoutSec", offsetof(Config, interactive_timeout_usec), 25, 3600, 300, SEC },
        { "Host", "CoalesceMSec", offsetof(Config, coalesce_usec), 1, 10000, 50, MSEC },
        { "Guests", "UnplugTimeoutMSec", offsetof(Config, unplug_timeout_usec), 100, 12000, 10000, MSEC },
        { "Guests", "JobTimeoutSec", offsetof(Config, job_timeout_usec), 1, 3600, 60, SEC },
        { "Guests", "AgentTimeoutMSec", offsetof(Config, agent_timeout_usec), 100, 12000, 5000, MSEC },
};

static void setting_store(Config *config, const Setting *setting, uint64_t value) {
        void *field = (char *) config + setting->offset;

        if (setting->factor == 0)
                *(int *) field = (int) value;
        else
                *(uint64_t *) field = value * setting->factor;
}

void config_set_defaults(Config *config) {
        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                setting_store(config, settings + i, settings[i].initial);
}

static void invalid(Findings *findings, const char *path, unsigned line, const char *what) {
        _cleanup_free_ char *where = NULL;

        if (asprintf(&where, "%s:%u", path, line) < 0)
                where = NULL;
        findings_add(findings, "config-invalid", SEVERITY_WARNS,
                     "correct the line (see berthd.conf(5)), then reload the service",
                     where ?: path, "%s", what);
}

static void assign(Config *config, Findings *findings, const char *path, unsigned line,
                   const char *section, const char *key, const char *value) {
        _cleanup_free_ char *what = NULL;

        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                const Setting *setting = settings + i;
                uint64_t number;
                int level;

                if (strcmp(setting->section, section) != 0 || strcmp(setting->key, key) != 0)
                        continue;

                if (setting->factor == 0) {
                        if (log_level_from_string(value, &level) >= 0)
                                setting_store(config, setting, (uint64_t) level);
                        else if (asprintf(&what, "%s is \"%s\"; it can be err, warning, notice, info or debug", key, value) >= 0)
                                invalid(findings, path, line, what);
                        return;
                }

                if (number_parse_u64(value, &number) >= 0 &&
                    number >= setting->minimum && number <= setting->maximum)
                        setting_store(config, setting, number);
                else if (asprintf(&what, "%s is \"%s\"; it can be %" PRIu64 " to %" PRIu64,
                                  key, value, setting->minimum, setting->maximum) >= 0)
                        invalid(findings, path, line, what);
                return;
        }

        if (asprintf(&what, "there is no setting %s in [%s]", key, section) >= 0)
                invalid(findings, path, line, what);
}

static char *strip(char *text) {
        size_t n;

        text += strspn(text, " \t");
        n = strlen(text);
        while (n > 0 && isspace((unsigned char) text[n - 1]))
                text[--n] = 0;
        return text;
}

static int read_stream(Config *config, FILE *file, const char *path, Findings *findings) {
        char line[LINE_MAX_BYTES], section[64] = "";
        size_t total = 0;

        for (unsigned n = 1; !feof(file) && !ferror(file); n++) {
                size_t length = 0;
                char *text, *equals;
                int c;

                /* Byte by byte, since fgets() does not tell a NUL from the end. */
                while ((c = getc(file)) != EOF && c != '\n') {
                        if (++total > FILE_MAX_BYTES)
                                return -EFBIG;
                        if (length < sizeof line)
                                line[length++] = (char) c;
                }
                total++;
                if (length == sizeof line) {
                        invalid(findings, path, n, "the line is too long");
                        continue;
                }
                line[length] = 0;
                if (strlen(line) < length) {
                        invalid(findings, path, n, "the line holds a NUL byte");
                        continue;
                }

                text = strip(line);
                if (!*text || *text == '#' || *text == ';')
                        continue;

                if (*text == '[') {
                        size_t m = strlen(text);

                        if (text[m - 1] != ']' || m - 2 >= sizeof section) {
                                invalid(findings, path, n, "a section is written as [Name]");
                                section[0] = 0;
                                continue;
                        }
                        text[m - 1] = 0;
                        strcpy(section, text + 1);
                        continue;
                }

                equals = strchr(text, '=');
                if (!equals) {
                        invalid(findings, path, n, "a line is a [Section], a Key=value, or a comment that starts with #");
                        continue;
                }
                *equals = 0;
                assign(config, findings, path, n, section, strip(text), strip(equals + 1));
        }

        return ferror(file) ? -EIO : 0;
}

static void read_file(Config *config, const char *path, Findings *findings) {
        FILE *file;
        int fd, r = 0;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                r = -errno;
        else {
                file = fdopen(fd, "r");
                if (file) {
                        r = read_stream(config, file, path, findings);
                        (void) fclose(file);
                } else {
                        r = -errno;
                        (void) close(fd);
                }
        }
        if (r < 0 && r != -ENOENT)
                findings_add(findings, "config-unreadable", SEVERITY_WARNS,
                             "make the file readable, then reload the service",
                             path, "the configuration cannot be read: %s", strerror(-r));
}

static int is_conf(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

int config_read(Config *config, const char *path, Findings *findings) {
        _cleanup_free_ char *folder = NULL;
        struct dirent **entries = NULL;
        int n;

        read_file(config, path, findings);

        if (asprintf(&folder, "%s.d", path) < 0)
                return -ENOMEM;
        n = scandir(folder, &entries, is_conf, alphasort);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (asprintf(&file, "%s/%s", folder, entries[i]->d_name) >= 0)
                        read_file(config, file, findings);
                free(entries[i]);
        }
        free(entries);

        return 0;
}
