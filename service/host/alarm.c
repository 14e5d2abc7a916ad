/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/sysfs.h"
#include "wake.h"

#define FILE_NAME "wake-alarm"
#define SEC UINT64_C(1000000)

struct Alarm {
        Host *host;
        int dir_fd;                     /* the runtime folder; -1 if it cannot be opened */
        uint64_t wake_sec;
        sd_event_source *timer;         /* for when it has passed */
        void (*changed)(void *userdata);
        void *userdata;
};

/* The runtime folder is memory: nothing waits for a disk here. */
static void alarm_remember(const Alarm *alarm, uint64_t wake_sec) {
        _cleanup_close_ int fd = -1;
        char text[32];
        int n;

        if (wake_sec == 0) {
                (void) unlinkat(alarm->dir_fd, FILE_NAME, 0);
                return;
        }
        n = snprintf(text, sizeof text, "%" PRIu64 "\n", wake_sec);
        fd = openat(alarm->dir_fd, FILE_NAME ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, (size_t) n) != n || renameat(alarm->dir_fd, FILE_NAME ".new", alarm->dir_fd, FILE_NAME) < 0)
                log_warning("The alarm that wakes this host is set, but cannot be remembered over a restart of this service: %s", strerror(errno));
}

static void alarm_take(Alarm *alarm, uint64_t wake_sec) {
        alarm->wake_sec = wake_sec;
        (void) sd_event_source_set_time(alarm->timer, wake_sec * SEC);
        (void) sd_event_source_set_enabled(alarm->timer, wake_sec == 0 ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_passed(sd_event_source *source, uint64_t usec, void *userdata) {
        Alarm *alarm = userdata;

        alarm_take(alarm, 0);
        alarm_remember(alarm, 0);
        alarm->changed(alarm->userdata);
        return 0;
}

int alarm_new(Host *host, sd_event *event, const char *runtime_dir, void (*changed)(void *), void *userdata, Alarm **ret) {
        _cleanup_(alarm_freep) Alarm *alarm = NULL;
        WakeClock clock;
        uint64_t kept;
        int r;

        alarm = calloc(1, sizeof *alarm);
        if (!alarm)
                return -ENOMEM;
        alarm->host = host;
        alarm->changed = changed;
        alarm->userdata = userdata;
        alarm->dir_fd = open(runtime_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = sd_event_add_time(event, &alarm->timer, CLOCK_REALTIME, 0, SEC, on_passed, alarm);
        if (r >= 0)
                r = sd_event_source_set_enabled(alarm->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        if (alarm->dir_fd >= 0 && sysfs_read_u64(alarm->dir_fd, FILE_NAME, &kept) >= 0) {
                if (wake_clock_read(host->root_fd, &clock) >= 0 && clock.present && clock.alarm_sec != 0 && wake_alarm_is(clock.alarm_sec, kept))
                        alarm_take(alarm, kept);
                else
                        alarm_remember(alarm, 0);
        }

        *ret = TAKE_PTR(alarm);
        return 0;
}

Alarm *alarm_free(Alarm *alarm) {
        if (!alarm)
                return NULL;
        (void) sd_event_source_disable_unref(alarm->timer);
        if (alarm->dir_fd >= 0)
                (void) close(alarm->dir_fd);
        free(alarm);
        return NULL;
}

uint64_t alarm_sec(const Alarm *alarm) {
        return alarm->wake_sec;
}

int alarm_check(const Alarm *alarm, uint64_t wake_sec, bool replace, Error *error) {
        WakeClock clock;
        int r;

        r = wake_clock_read(alarm->host->root_fd, &clock);
        if (r < 0)
                return r;
        if (!clock.present)
                return error_set(error, ERROR_NOT_SUPPORTED, "this host has no clock that could wake it: there is no /sys/class/rtc/rtc*/wakealarm");
        if (clock.alarm_sec != 0 && !wake_alarm_is(clock.alarm_sec, alarm->wake_sec) && !replace)
                return error_set(error, ERROR_ALREADY_EXISTS, "somebody else has set the alarm of %s to %" PRIu64 " s; the flag \"replace\" takes its place", clock.name, clock.alarm_sec);
        return 0;
}

int alarm_set(Alarm *alarm, uint64_t wake_sec, bool replace, Error *error) {
        int r;

        /* First, so that one that is set is never a stranger's to who comes after us. */
        if (wake_sec != 0)
                alarm_remember(alarm, wake_sec);
        r = wake_clock_set(alarm->host->root_fd, wake_sec, alarm->wake_sec, replace, error);
        if (r < 0 || wake_sec == 0)
                alarm_remember(alarm, r < 0 ? alarm->wake_sec : 0);
        if (r < 0)
                return r;
        alarm_take(alarm, wake_sec);
        alarm->changed(alarm->userdata);
        return 0;
}
