/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A text of numa_maps gives the same in one piece and in many: the first byte is how
 * long these are. */

#include "fuzz.h"

#include "guest/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ CellMemory *cells = NULL, *others = NULL;
        _cleanup_numa_maps_ NumaMaps maps = {};
        _cleanup_free_ char *text = NULL;
        size_t n = 0, n_others = 0, step, length;
        int r, s = 0;

        if (size == 0)
                return 0;
        step = (size_t) data[0] + 1;
        length = size - 1;
        text = text_of(data + 1, length);
        r = numa_maps_parse(text, length, &cells, &n);
        for (size_t i = 0; s >= 0 && i < length; i += step)
                s = numa_maps_feed(&maps, text + i, length - i < step ? length - i : step);
        if (s >= 0)
                s = numa_maps_finish(&maps, &others, &n_others);
        HOLDS(r == s && n == n_others);
        for (size_t i = 0; i < n; i++) {
                HOLDS(cells[i].cell == others[i].cell && cells[i].bytes == others[i].bytes);
                HOLDS(cells[i].cell < CPUSET_LIMIT && (i == 0 || cells[i].cell > cells[i - 1].cell));
        }
        return 0;
}
