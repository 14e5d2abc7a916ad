/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/beneath.h"
#include "lib/sysfs.h"

/* The first CPU's paragraph is all that is looked at: the file is long on large
 * machines, and on some each CPU is interrupted to write it. */
#define CPUINFO_BYTES 8192

/* As the kernel names them, and as people do. */
static const struct { const char *kernel, *name; } vendors[] = {
        { "GenuineIntel", "Intel" },
        { "AuthenticAMD", "AMD" },
        { "HygonGenuine", "Hygon" },
        { "CentaurHauls", "Centaur" },
        { "IBM/S390", "IBM" },
        { "0x41", "ARM" },
        { "0x42", "Broadcom" },
        { "0x43", "Cavium" },
        { "0x46", "Fujitsu" },
        { "0x48", "HiSilicon" },
        { "0x4e", "NVIDIA" },
        { "0x50", "Ampere" },
        { "0x51", "Qualcomm" },
        { "0x53", "Samsung" },
        { "0x61", "Apple" },
        { "0x6d", "Microsoft" },
        { "0xc0", "Ampere" },
};

/* Reads as much of /proc/cpuinfo as fits. */
static void read_cpuinfo(int root_fd, char *buffer, size_t size) {
        _cleanup_close_ int fd = -1;

        fd = open_beneath(root_fd, "proc/cpuinfo", O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || sysfs_pread(fd, buffer, size) < 0)
                buffer[0] = 0;
}

/* The value of the first line "key : value". NULL if there is none. */
static char *cpuinfo_find(const char *text, const char *key) {
        size_t length = strlen(key);

        for (const char *line = text; line && *line; line = strchr(line, '\n')) {
                const char *p;
                size_t n;

                line += *line == '\n';
                if (strncmp(line, key, length) != 0)
                        continue;
                p = line + length + strspn(line + length, " \t");
                if (*p != ':')
                        continue;
                p += 1 + strspn(p + 1, " \t");
                n = strcspn(p, "\n");
                while (n > 0 && isspace((unsigned char) p[n - 1]))
                        n--;
                return strndup(p, n);
        }
        return NULL;
}

static bool cpuinfo_says(const char *text, const char *key, const char *part) {
        _cleanup_free_ char *value = cpuinfo_find(text, key);

        return value && strstr(value, part);
}

/* Whether a word stands in a list of words. */
static bool cpuinfo_lists(const char *text, const char *key, const char *word) {
        _cleanup_free_ char *value = cpuinfo_find(text, key);
        char *token, *state = NULL;

        for (token = value ? strtok_r(value, " ", &state) : NULL; token; token = strtok_r(NULL, " ", &state))
                if (strcmp(token, word) == 0)
                        return true;
        return false;
}

/* The numbers that x86 kernels have for makers, in the alias of the CPU's module,
 * and the feature that tells 64 bits from 32. */
#define X86_FEATURE_LONG_MODE ",003D,"
static const struct { const char *part, *name; } x86_makers[] = {
        { "ven0000", "Intel" }, { "vendor:0000", "Intel" },
        { "ven0002", "AMD" }, { "vendor:0002", "AMD" },
        { "ven0005", "Centaur" },
        { "ven0009", "Hygon" },
};

static char *find_arch(int root_fd, bool live, const char *cpuinfo, const char *modalias) {
        struct utsname name;
        char text[64];

        if (sysfs_read(root_fd, "proc/sys/kernel/arch", text, sizeof text) > 0)
                return strdup(text);
        if (live && uname(&name) >= 0)
                return strdup(name.machine);

        if (cpuinfo_says(cpuinfo, "vendor_id", "IBM/S390"))
                return strdup("s390x");
        if (cpuinfo_lists(cpuinfo, "flags", "lm"))
                return strdup("x86_64");
        if (strstr(modalias, "x86"))
                return strdup(strstr(modalias, X86_FEATURE_LONG_MODE) ? "x86_64" : "");
        if (cpuinfo_says(cpuinfo, "CPU architecture", "8"))
                return strdup("aarch64");
        if (cpuinfo_says(cpuinfo, "Processor", "ARMv7"))
                return strdup("armv7l");
        if (cpuinfo_says(cpuinfo, "cpu", "POWER"))
                return strdup("ppc64");
        return strdup("");
}

static char *find_vendor(const char *cpuinfo, const char *modalias) {
        static const char *const keys[] = { "vendor_id", "CPU implementer" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _cleanup_free_ char *value = cpuinfo_find(cpuinfo, keys[i]);

                if (!value)
                        continue;
                for (size_t j = 0; j < ELEMENTSOF(vendors); j++)
                        if (strcmp(value, vendors[j].kernel) == 0)
                                return strdup(vendors[j].name);
                return TAKE_PTR(value);
        }
        for (size_t i = 0; i < ELEMENTSOF(x86_makers); i++)
                if (strstr(modalias, x86_makers[i].part))
                        return strdup(x86_makers[i].name);
        return strdup(cpuinfo_says(cpuinfo, "cpu", "POWER") ? "IBM" : "");
}

/* Without the runs of blanks that some makers pad it with, and without what is
 * no UTF-8, which D-Bus would not carry. */
static char *tidy(char *text) {
        char *to = text;

        for (const char *from = text; *from; from++)
                if (isprint((unsigned char) *from) && !(*from == ' ' && (to == text || to[-1] == ' ')))
                        *to++ = *from;
        while (to > text && to[-1] == ' ')
                to--;
        *to = 0;
        return text;
}

static char *find_model(const char *cpuinfo) {
        static const char *const keys[] = { "model name", "Processor", "cpu" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                char *value = cpuinfo_find(cpuinfo, keys[i]);

                if (value)
                        return tidy(value);
        }
        return strdup("");
}

/* 32 hexadecimal digits, with or without dashes; "" for anything else. */
static char *normalize_uuid(const char *text) {
        char digits[33] = "", *uuid;
        size_t n = 0;

        for (const char *p = text; *p; p++) {
                if (*p == '-')
                        continue;
                if (!isxdigit((unsigned char) *p) || n >= 32)
                        return strdup("");
                digits[n++] = (char) tolower((unsigned char) *p);
        }
        if (n != 32 || strspn(digits, "0") == 32)
                return strdup("");

        if (asprintf(&uuid, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16, digits + 20) < 0)
                return NULL;
        return uuid;
}

static char *find_uuid(int root_fd) {
        static const char *const paths[] = { "sys/class/dmi/id/product_uuid", "etc/machine-id" };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                char text[64];
                char *uuid;

                if (sysfs_read(root_fd, paths[i], text, sizeof text) <= 0)
                        continue;
                uuid = normalize_uuid(text);
                if (!uuid || *uuid)
                        return uuid;
                free(uuid);
        }
        return strdup("");
}

/* Two architectures know only one size; a recorded machine of another does not
 * tell its own. */
static uint64_t find_base_page_bytes(bool live, const char *arch) {
        if (live)
                return (uint64_t) sysconf(_SC_PAGESIZE);
        return strcmp(arch, "x86_64") == 0 || strcmp(arch, "s390x") == 0 ? 4096 : 0;
}

int identity_read(int root_fd, bool live, Identity *ret) {
        _cleanup_identity_ Identity identity = {};
        _cleanup_free_ char *cpuinfo = NULL;
        char modalias[4096];

        cpuinfo = malloc(CPUINFO_BYTES);
        if (!cpuinfo)
                return -ENOMEM;
        read_cpuinfo(root_fd, cpuinfo, CPUINFO_BYTES);
        if (sysfs_read(root_fd, "sys/devices/system/cpu/modalias", modalias, sizeof modalias) < 0)
                modalias[0] = 0;

        identity.arch = find_arch(root_fd, live, cpuinfo, modalias);
        identity.vendor = find_vendor(cpuinfo, modalias);
        identity.model = find_model(cpuinfo);
        identity.uuid = find_uuid(root_fd);
        if (!identity.arch || !identity.vendor || !identity.model || !identity.uuid)
                return -ENOMEM;
        tidy(identity.arch);
        tidy(identity.vendor);
        identity.base_page_bytes = find_base_page_bytes(live, identity.arch);

        *ret = TAKE(identity);
        return 0;
}

void identity_clear(Identity *identity) {
        free(identity->arch);
        free(identity->vendor);
        free(identity->model);
        free(identity->uuid);
        *identity = (Identity) {};
}
