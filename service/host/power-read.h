/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel says of sleep, as plain facts: nothing here judges. A file that
 * is not there, or makes no sense, leaves its fact unknown. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/cleanup.h"

/* A list of words of which one may be chosen: "s2idle [deep]". */
typedef struct WordList {
        bool known;             /* there is such a file */
        char text[128];
} WordList;

bool word_list_has(const WordList *list, const char *word);

/* Whether the chosen word is this one. */
bool word_list_chose(const WordList *list, const char *word);

/* Swap that is in use. */
typedef struct SwapArea {
        char path[256];         /* without the kernel's escapes; what is longer is cut */
        bool file;              /* else a partition, or another whole device */
        bool in_memory;         /* zram: nothing of it is left after a power off */
        bool deleted;           /* the file's name is gone */
        uint64_t size_bytes;
        uint64_t used_bytes;
        int64_t priority;
        bool device_known;
        uint32_t major, minor;  /* of a partition */
} SwapArea;

#define SWAP_AREAS_MAX 32u

typedef enum Lockdown {
        LOCKDOWN_UNKNOWN,       /* or a kernel without it */
        LOCKDOWN_NONE,
        LOCKDOWN_INTEGRITY,
        LOCKDOWN_CONFIDENTIALITY,
} Lockdown;

typedef struct PowerFacts {
        WordList state;
        WordList mem_sleep;
        WordList disk;

        bool resume_known;
        uint32_t resume_major, resume_minor;    /* 0:0: none is set */
        bool resume_offset_known;
        uint64_t resume_offset;
        bool image_size_known;
        uint64_t image_size;                    /* the kernel tries to make an image no larger than this */

        bool swaps_known;
        SwapArea swaps[SWAP_AREAS_MAX];
        size_t n_swaps;

        bool memory_known;
        uint64_t memory_bytes, free_bytes;
        bool anonymous_known;
        uint64_t active_bytes;                  /* Active(anon) */
        uint64_t anonymous_bytes;               /* that and Inactive(anon) */

        Lockdown lockdown;
        bool no_hibernate;                      /* the kernel was started so */
        bool resume_named;                      /* resume= on the kernel's command line */
        bool resume_offset_named;
        bool resume_by_firmware;                /* a systemd that leaves the place of the image in a variable of EFI */
        bool alarm_clock;                       /* a clock that can wake it */
} PowerFacts;

/* Source: /sys/power/{state,mem_sleep,disk,resume,resume_offset,image_size}, /proc/{swaps,meminfo,cmdline},
 * /sys/class/block, /sys/kernel/security/lockdown, /sys/firmware/efi, /sys/class/rtc. */
void power_facts_read(int root_fd, PowerFacts *ret);

/* The parts that have a format of their own; for tests. Rows that make no sense are left out. */
size_t swaps_parse(const char *text, SwapArea *ret, size_t max);

/* The swap that an image would be written to: the one that is the resume device; without
 * such a choice as logind takes it, the one of the highest priority, and of those the one with the most
 * room. NULL if there is none. */
const SwapArea *power_facts_image_swap(const PowerFacts *facts);
