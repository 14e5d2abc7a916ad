/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Feeds files to a fuzz target, each a test: where there is no libFuzzer, and so that
 * what was found once is not lost. */

#include "fuzz.h"

static int feed(const char *path) {
        FILE *file = fopen(path, "re");
        uint8_t *data = NULL;
        size_t size = 0, n;

        if (!file)
                return -1;
        do {
                data = realloc(data, size + 4096);
                HOLDS(data);
                n = fread(data + size, 1, 4096, file);
                size += n;
        } while (n > 0);
        if (ferror(file) == 0)
                (void) LLVMFuzzerTestOneInput(data, size);
        else
                size = 0;
        free(data);
        (void) fclose(file);
        return size > 0 ? 0 : -1;
}

int main(int argc, char **argv) {
        int failed = 0;

        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        printf("1..%d\n", argc);
        (void) LLVMFuzzerTestOneInput((const uint8_t *) "", 0);
        printf("ok 1 nothing\n");
        for (int i = 1; i < argc; i++) {
                const char *slash = strrchr(argv[i], '/');
                int r = feed(argv[i]);

                printf("%sok %d %s\n", r < 0 ? "not " : "", i + 1, slash ? slash + 1 : argv[i]);
                failed |= r < 0;
        }
        return failed;
}
