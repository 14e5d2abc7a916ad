/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/beneath.h"
#include "lib/sysfs.h"

/* The clock has a time of its own: of a time zone on machines that also run something else,
 * or wrong by minutes where nobody mends it. The kernel takes an alarm in that time, and we
 * ask for one in ours. Both are read as whole seconds, one after the other, so their difference
 * is good to a second or two: less is none, and an alarm so near to another is the same. */
#define SLACK_SEC 2

#define CLASS_FOLDER "sys/class/rtc"

/* What is read of a clock. */
typedef struct Clock {
        char alarm_path[64];
        char name[16];
        int64_t ahead_sec;      /* of CLOCK_REALTIME */
        uint64_t now_sec;       /* in the clock's time */
        uint64_t alarm_sec;     /* likewise; 0: none is set, or one that is past */
} Clock;

static const char *clock_path(uint32_t number, const char *file, char *buffer, size_t size) {
        snprintf(buffer, size, CLASS_FOLDER "/rtc%" PRIu32 "/%s", number, file);
        return buffer;
}

static bool can_wake(int root_fd, uint32_t number) {
        _cleanup_close_ int fd = -1;
        char path[64];

        fd = open_beneath(root_fd, clock_path(number, "wakealarm", path, sizeof path), O_PATH);
        return fd >= 0;
}

/* The kernel's own clock if it can wake, else the first that can. */
static int find_clock(int root_fd, uint32_t *ret) {
        _cleanup_cpuset_ CpuSet numbers = {};
        uint32_t found = ID_NONE;

        if (sysfs_list_numbered(root_fd, CLASS_FOLDER, "rtc", &numbers) < 0)
                return -ENODEV;
        CPUSET_FOREACH(number, &numbers) {
                uint64_t is_ours;
                char path[64];

                if (!can_wake(root_fd, number))
                        continue;
                if (found == ID_NONE)
                        found = number;
                if (sysfs_read_u64(root_fd, clock_path(number, "hctosys", path, sizeof path), &is_ours) >= 0 && is_ours == 1) {
                        found = number;
                        break;
                }
        }
        if (found == ID_NONE)
                return -ENODEV;

        *ret = found;
        return 0;
}

/* An empty file: no alarm is set. */
static int read_alarm(int root_fd, const char *path, uint64_t *ret) {
        char text[64];
        ssize_t n;

        n = sysfs_read(root_fd, path, text, sizeof text);
        if (n < 0)
                return (int) n;
        if (n == 0) {
                *ret = 0;
                return 0;
        }
        return number_parse_u64(text, ret);
}

/* Returns -ENODEV if there is none, else why it cannot be read. */
static int clock_read(int root_fd, Clock *ret) {
        Clock clock = {};
        struct timespec now;
        uint32_t number;
        char path[64];
        int r;

        r = find_clock(root_fd, &number);
        if (r < 0)
                return r;
        snprintf(clock.name, sizeof clock.name, "rtc%" PRIu32, number);
        clock_path(number, "wakealarm", clock.alarm_path, sizeof clock.alarm_path);

        r = read_alarm(root_fd, clock.alarm_path, &clock.alarm_sec);
        if (r < 0)
                return r;
        if (clock_gettime(CLOCK_REALTIME, &now) < 0)
                return -errno;
        clock.now_sec = (uint64_t) now.tv_sec;
        if (sysfs_read_u64(root_fd, clock_path(number, "since_epoch", path, sizeof path), &clock.now_sec) >= 0) {
                if (clock.now_sec > INT64_MAX)
                        return -ERANGE;
                clock.ahead_sec = (int64_t) clock.now_sec - now.tv_sec;
                if (clock.ahead_sec >= -SLACK_SEC && clock.ahead_sec <= SLACK_SEC)
                        clock.ahead_sec = 0;
        }
        /* Some show one that has gone off. */
        if (clock.alarm_sec <= clock.now_sec || clock.alarm_sec > INT64_MAX)
                clock.alarm_sec = 0;

        *ret = clock;
        return 0;
}

/* The alarm in our time; 0 if there is none. */
static uint64_t clock_alarm(const Clock *clock) {
        return clock->alarm_sec == 0 ? 0 : (uint64_t) ((int64_t) clock->alarm_sec - clock->ahead_sec);
}

int wake_clock_read(int root_fd, WakeClock *ret) {
        WakeClock seen = {};
        Clock clock;
        int r;

        r = clock_read(root_fd, &clock);
        if (r < 0 && r != -ENODEV)
                return r;
        if (r >= 0) {
                seen = (WakeClock) { .present = true, .alarm_sec = clock_alarm(&clock) };
                memcpy(seen.name, clock.name, sizeof seen.name);
        }

        *ret = seen;
        return 0;
}

bool wake_alarm_is(uint64_t alarm_sec, uint64_t other_sec) {
        return alarm_sec <= other_sec + SLACK_SEC && other_sec <= alarm_sec + SLACK_SEC;
}

bool wake_clock_present(int root_fd) {
        uint32_t number;

        return find_clock(root_fd, &number) >= 0;
}

/* The kernel takes no alarm over one that is set, so that goes first. */
static int write_alarm(int root_fd, const Clock *clock, bool set_before, uint64_t alarm_sec) {
        uint64_t seen;
        int r;

        if (set_before || alarm_sec == 0) {
                r = sysfs_write_u64(root_fd, clock->alarm_path, 0);
                if (r < 0)
                        return r;
        }
        if (alarm_sec > 0) {
                r = sysfs_write_u64(root_fd, clock->alarm_path, alarm_sec);
                if (r < 0)
                        return r;
        }
        r = read_alarm(root_fd, clock->alarm_path, &seen);
        if (r < 0)
                return r;
        return seen == alarm_sec ? 0 : -EREMOTEIO;
}

int wake_clock_set(int root_fd, uint64_t wake_sec, uint64_t expected_sec, bool replace, Error *error) {
        uint64_t set, alarm_sec = 0;
        Clock clock;
        int r, restored;

        r = clock_read(root_fd, &clock);
        if (r == -ENODEV)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "this host has no clock that can wake it: no /" CLASS_FOLDER "/rtc* has a wakealarm");
        if (r < 0)
                return error_set(error, ERROR_BACKEND_FAILED, "the alarm of the host's clock cannot be read: %s", strerror(-r));

        set = clock_alarm(&clock);
        if (set == 0 && wake_sec == 0)
                return 0;
        if (set != 0 && !replace && !wake_alarm_is(set, expected_sec))
                return error_set(error, ERROR_ALREADY_EXISTS,
                                 "%s has an alarm that is somebody else's, for %" PRIu64 " (seconds since 1970); it stays", clock.name, set);

        if (wake_sec != 0) {
                int64_t at;

                if (wake_sec > INT64_MAX || __builtin_add_overflow((int64_t) wake_sec, clock.ahead_sec, &at) || at <= 0)
                        return error_set(error, ERROR_INVALID_ARGS, "%" PRIu64 " (seconds since 1970) is no time for an alarm", wake_sec);
                alarm_sec = (uint64_t) at;
        }

        r = write_alarm(root_fd, &clock, clock.alarm_sec != 0, alarm_sec);
        if (r >= 0)
                return 0;
        /* Whatever is in it now is not what anybody wants. */
        restored = write_alarm(root_fd, &clock, true, clock.alarm_sec);
        return error_set(error, ERROR_BACKEND_FAILED, "%s does not take the alarm for %" PRIu64 " (seconds since 1970): %s; %s",
                         clock.name, wake_sec, r == -EREMOTEIO ? "what was written is not what is read" : strerror(-r),
                         restored < 0 ? "the one before could not be set again" :
                         clock.alarm_sec == 0 ? "none is set" : "the one before is set again");
}
