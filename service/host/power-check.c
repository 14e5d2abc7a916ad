/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "power-check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Each finding brings the answer down to what it leaves: "no" where somebody would have to
 * set up this host otherwise, "blocked" where it is of the moment, and it stays where
 * it is for what is only worth knowing. */
typedef struct Check {
        const PowerView *view;
        const PowerFacts *facts;
        SleepTarget target;
        SleepAnswer answer;
        bool too_small;         /* swap: of the moment, and what logind means by "na" then */
        Findings *findings;
} Check;

static Severity leave(Check *check, SleepAnswer answer) {
        if (answer < check->answer)
                check->answer = answer;
        return answer == SLEEP_YES ? SEVERITY_WARNS : SEVERITY_BLOCKS;
}

static bool reaches_disk(SleepTarget target) {
        return target == SLEEP_DISK || target == SLEEP_HYBRID || target == SLEEP_THEN_DISK;
}

/* Sizes for people: what is asked for is rounded up, so that it is then enough, and what there
 * is, down. */
#define SIZE_TEXT_BYTES 32u

static const char *size_to_text(uint64_t bytes, bool up, char buffer[static SIZE_TEXT_BYTES]) {
        uint64_t mib = (bytes >> 20) + (up && (bytes & 0xfffff) != 0), tenths = (mib * 10 + (up ? 1023 : 0)) / 1024;

        if (mib < 1024)
                snprintf(buffer, SIZE_TEXT_BYTES, "%" PRIu64 " MiB", mib);
        else
                snprintf(buffer, SIZE_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 " GiB", tenths / 10, tenths % 10);
        return buffer;
}

/* Memory that no file stands behind has to be in the image. A part of it, Active(anon), is what
 * logind compares with 98 % of the swap that is free; the same measure forbids here, so that both say the same.
 * It is little: newer kernels count most as inactive, so what is short of all is worth a warning. */
static bool is_enough_for_logind(const PowerFacts *facts, uint64_t free_bytes) {
        return facts->active_bytes <= free_bytes - free_bytes / 50;
}

static uint64_t least_for_logind(const PowerFacts *facts) {
        return facts->active_bytes + facts->active_bytes / 49 + 1;
}

/* How large an image may get: the kernel drops what it can until it is as small as image_size, and cannot
 * drop what no file stands behind. 0: not known. */
static uint64_t image_bytes(const PowerFacts *facts) {
        uint64_t image = 0;

        if (facts->image_size_known && facts->memory_known) {
                image = facts->memory_bytes - facts->free_bytes;
                if (facts->image_size < image)
                        image = facts->image_size;
        }
        return facts->anonymous_known && facts->anonymous_bytes > image ? facts->anonymous_bytes : image;
}

#define NEEDED_TEXT_BYTES 384u

/* What a hibernation needs of swap, as a part of a sentence. */
static const char *needed_to_text(const PowerFacts *facts, char buffer[static NEEDED_TEXT_BYTES]) {
        char all[SIZE_TEXT_BYTES] = "", anonymous[SIZE_TEXT_BYTES], least[SIZE_TEXT_BYTES];

        if (facts->memory_known)
                size_to_text(facts->memory_bytes, true, all);
        if (facts->anonymous_known)
                snprintf(buffer, NEEDED_TEXT_BYTES, "it takes %s now, for memory in use that cannot be dropped (Active(anon) and Inactive(anon) "
                         "of /proc/meminfo); logind tries it from %s on (Active(anon) alone)%s%s%s",
                         size_to_text(facts->anonymous_bytes, true, anonymous), size_to_text(least_for_logind(facts), true, least),
                         *all ? "; as much as there is memory, " : "", all, *all ? ", is always enough" : "");
        else if (*all)
                snprintf(buffer, NEEDED_TEXT_BYTES, "as much as there is memory, %s, is always enough", all);
        else
                snprintf(buffer, NEEDED_TEXT_BYTES, "the kernel does not tell how much memory is in use");
        return buffer;
}

static bool has_deep(const PowerFacts *facts) {
        return word_list_has(&facts->state, "mem") && (!facts->mem_sleep.known || word_list_has(&facts->mem_sleep, "deep"));
}

static bool has_idle(const PowerFacts *facts) {
        return word_list_has(&facts->state, "freeze") ||
                (word_list_has(&facts->state, "mem") && word_list_has(&facts->mem_sleep, "s2idle"));
}

SleepTarget power_view_default(const PowerFacts *facts) {
        if (word_list_chose(&facts->mem_sleep, "deep"))
                return SLEEP_MEM;
        if (word_list_chose(&facts->mem_sleep, "s2idle"))
                return SLEEP_IDLE;
        return has_deep(facts) || !has_idle(facts) ? SLEEP_MEM : SLEEP_IDLE;
}

static const char remedy_kernel[] = "run a kernel that was built with this sleep, and look for it in the firmware's settings";

static void check_state_known(Check *check) {
        if (!check->facts->state.known)
                findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO),
                             "ask the host itself, not a container on it, or run a kernel that was built with CONFIG_SUSPEND and CONFIG_HIBERNATION",
                             "/sys/power/state", "the kernel shows no /sys/power/state: it knows no sleep at all, or not here");
}

static void check_deep(Check *check) {
        const PowerFacts *facts = check->facts;

        if (has_deep(facts) || !facts->state.known)
                return;
        if (word_list_has(&facts->state, "mem"))
                findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO),
                             "allow S3 in the firmware's settings (\"Linux\" or \"legacy\" sleep in some), or use suspend_idle",
                             "/sys/power/mem_sleep", "the firmware does not offer suspend to memory (S3): /sys/power/mem_sleep has \"%s\", without \"deep\"",
                             facts->mem_sleep.text);
        else
                findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO), remedy_kernel,
                             "/sys/power/state", "the kernel does not offer suspend to memory: /sys/power/state has \"%s\", without \"mem\"",
                             facts->state.text);
}

static void check_idle(Check *check) {
        const PowerFacts *facts = check->facts;

        if (has_idle(facts) || !facts->state.known)
                return;
        findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO), remedy_kernel,
                     "/sys/power/state", "the kernel does not offer suspend to idle: /sys/power/state has \"%s\", without \"freeze\"",
                     facts->state.text);
}

/* Where the kernel has hibernation and does not let it be used, "disk" is missing as where it was built
 * without; /sys/power/disk is there and says so, but not why. */
static void check_disk_offered(Check *check) {
        const PowerFacts *facts = check->facts;
        bool locked = facts->lockdown == LOCKDOWN_INTEGRITY || facts->lockdown == LOCKDOWN_CONFIDENTIALITY;
        bool disabled = word_list_has(&facts->disk, "disabled"), lacks = !word_list_has(&facts->state, "disk");

        if (locked)
                findings_add(check->findings, "locked-down", leave(check, SLEEP_NO),
                             "start without Secure Boot or without lockdown= on the kernel's command line, or use a sleep that does not reach the disk",
                             "/sys/kernel/security/lockdown", "the kernel is locked down (%s), and writes no image of its memory to a disk",
                             facts->lockdown == LOCKDOWN_INTEGRITY ? "integrity" : "confidentiality");
        if (facts->no_hibernate && (lacks || disabled))
                findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO),
                             "take nohibernate or hibernate=no off the kernel's command line, and start again",
                             "/proc/cmdline", "the kernel was started with hibernation forbidden on its command line");
        if (locked || facts->no_hibernate || !facts->state.known)
                return;

        if (disabled)
                findings_add(check->findings, "locked-down", leave(check, SLEEP_NO),
                             "end what holds secret memory (memfd_secret), or take the CXL memory out of use",
                             "/sys/power/disk", "the kernel has hibernation disabled now: there is memory that must not be written to a disk");
        else if (lacks)
                findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO), remedy_kernel,
                             "/sys/power/state", "the kernel does not offer hibernation: /sys/power/state has \"%s\", without \"disk\"",
                             facts->state.text);
        else if (check->target == SLEEP_HYBRID && !word_list_has(&facts->disk, "suspend"))
                findings_add(check->findings, "kernel-lacks-it", leave(check, SLEEP_NO), remedy_kernel,
                             "/sys/power/disk", "the kernel does not keep memory on after a hibernation: /sys/power/disk has \"%s\", without \"suspend\"",
                             facts->disk.text);
}

static bool resume_is_set(const PowerFacts *facts) {
        return facts->resume_known && (facts->resume_major != 0 || facts->resume_minor != 0);
}

static void check_no_image_swap(Check *check) {
        const PowerFacts *facts = check->facts;
        const SwapArea *in_memory = NULL;
        char needed[NEEDED_TEXT_BYTES], resume[32];
        bool on_disk = false;

        for (size_t i = 0; i < facts->n_swaps; i++)
                if (facts->swaps[i].in_memory)
                        in_memory = facts->swaps + i;
                else if (!facts->swaps[i].deleted)
                        on_disk = true;

        needed_to_text(facts, needed);
        snprintf(resume, sizeof resume, "%" PRIu32 ":%" PRIu32, facts->resume_major, facts->resume_minor);
        if (on_disk)
                findings_add(check->findings, "no-resume-device", leave(check, SLEEP_NO),
                             "switch on the swap that the kernel resumes from (swapon), or have resume= on its command line name one that is on",
                             resume, "the kernel would resume from the device %s, but no swap on it is in use", resume);
        else if (in_memory)
                findings_add(check->findings, "swap-in-memory", leave(check, SLEEP_NO),
                             "add a swap partition or a swap file on a disk, of a lower priority if it is for hibernation alone",
                             in_memory->path, "all swap is in memory (zram) and lost at a power off; an image has to be on a disk: %s", needed);
        else
                findings_add(check->findings, "no-swap", leave(check, SLEEP_NO),
                             "make a swap partition or a swap file on a disk (mkswap, swapon), name it in /etc/fstab, and its device as resume= on the kernel's command line",
                             "/proc/swaps", "there is no swap to write the image to: %s", needed);
}

static void check_swap_size(Check *check, const SwapArea *swap) {
        const PowerFacts *facts = check->facts;
        uint64_t free_bytes = swap->size_bytes - swap->used_bytes, image = image_bytes(facts);
        char free_text[SIZE_TEXT_BYTES], image_text[SIZE_TEXT_BYTES], needed[NEEDED_TEXT_BYTES];

        size_to_text(free_bytes, false, free_text);
        if (facts->anonymous_known && !is_enough_for_logind(facts, free_bytes)) {
                check->too_small = true;
                findings_add(check->findings, "swap-too-small", leave(check, SLEEP_BLOCKED),
                             "make the swap larger, or end what uses memory: guests for one",
                             swap->path, "%s has %s free, and an image does not fit: %s",
                             swap->path, free_text, needed_to_text(facts, needed));
        } else if (free_bytes < image)
                findings_add(check->findings, "swap-too-small", leave(check, SLEEP_YES),
                             "make the swap larger, end what uses memory, or write a smaller size to /sys/power/image_size",
                             swap->path, "%s has %s free; before it is compressed the image may take %s, and what does not fit makes the kernel give up",
                             swap->path, free_text, size_to_text(image, true, image_text));
}

static void check_resume(Check *check, const SwapArea *swap) {
        const PowerFacts *facts = check->facts;
        SleepAnswer answer = SLEEP_NO;

        if (!facts->resume_known)
                return;
        /* Its variable is written with the image; nobody sees it before. */
        if (facts->resume_by_firmware && check->view->manager && check->view->manager->present)
                answer = SLEEP_YES;
        if (!resume_is_set(facts) && !facts->resume_named)
                findings_add(check->findings, "no-resume-device", leave(check, answer),
                             "name the swap's device as resume= on the kernel's command line (a file's needs resume_offset= too), and have the initramfs made anew",
                             "/sys/power/resume", answer == SLEEP_NO ?
                             "no device to resume from is set (/sys/power/resume is 0:0): the next start would not find the image" :
                             "no device to resume from is set (/sys/power/resume is 0:0): the next start finds the image only if its initramfs has the systemd that leaves a note in a variable of EFI");
        else if (swap && swap->file && facts->resume_offset_known && facts->resume_offset == 0 && !facts->resume_offset_named)
                findings_add(check->findings, "no-resume-device", leave(check, answer),
                             "find where the file begins (filefrag -v, or btrfs inspect-internal map-swapfile -r), and give that as resume_offset= on the kernel's command line",
                             swap->path, "%s is a file, and where it lies is not set (/sys/power/resume_offset is 0): the next start would not find the image",
                             swap->path);
}

static void check_disk(Check *check) {
        const SwapArea *swap = power_facts_image_swap(check->facts);

        check_disk_offered(check);
        if (swap)
                check_swap_size(check, swap);
        else
                check_no_image_swap(check);
        check_resume(check, swap);
}

static const char *manager_method(SleepTarget target) {
        switch (target) {
        case SLEEP_MEM:
        case SLEEP_IDLE:
                return "CanSuspend";
        case SLEEP_DISK:
                return "CanHibernate";
        case SLEEP_HYBRID:
                return "CanHybridSleep";
        case SLEEP_THEN_DISK:
                return "CanSuspendThenHibernate";
        case _SLEEP_TARGET_MAX:
                break;
        }
        return "";
}

/* Whether one of the words with ":" between is "sleep". */
static bool holds_up_sleep(const char *what) {
        while (what && *what) {
                size_t n = strcspn(what, ":");

                if (n == strlen("sleep") && memcmp(what, "sleep", n) == 0)
                        return true;
                what += n + (what[n] == ':');
        }
        return false;
}

/* One that delays is nothing to tell: logind waits for it some seconds, no longer. */
static bool check_inhibitors(Check *check, const SleepManager *manager) {
        bool any = false;

        for (size_t i = 0; i < manager->n_inhibitors; i++) {
                const SleepInhibitor *inhibitor = manager->inhibitors + i;
                const char *who = inhibitor->who && *inhibitor->who ? inhibitor->who : "somebody";

                if (!inhibitor->block || !holds_up_sleep(inhibitor->what))
                        continue;
                any = true;
                findings_add(check->findings, "inhibited", leave(check, SLEEP_BLOCKED),
                             "wait until it is done, or end it; who may do so can ask to sleep all the same",
                             who, "%s (process %" PRIu32 ", user %" PRIu32 ") holds up sleep: %s",
                             who, inhibitor->pid, inhibitor->uid, inhibitor->why && *inhibitor->why ? inhibitor->why : "it does not say why");
        }
        return any;
}

static void check_manager(Check *check) {
        static const char refuses[] = "manager-refuses";
        const SleepManager *manager = check->view->manager;
        const char *method = manager_method(check->target);
        bool inhibited;

        if (!manager)
                return;
        if (!manager->present) {
                findings_add(check->findings, "manager-missing", leave(check, SLEEP_YES),
                             "none is needed; with systemd-logind, programs are told before a sleep and can hold it up",
                             "systemd-logind", "there is no systemd-logind; the kernel is told itself, and nothing else hears of it");
                return;
        }

        inhibited = check_inhibitors(check, manager);
        switch (manager->answers[check->target]) {
        case MANAGER_NA:
                findings_add(check->findings, refuses, leave(check, check->too_small ? SLEEP_BLOCKED : SLEEP_NO),
                             "see to what else is told here; if there is nothing, look for AllowSuspend= and its kin in /etc/systemd/sleep.conf",
                             "systemd-logind", "logind answers \"na\" to %s: this machine cannot", method);
                break;
        case MANAGER_NO:
                findings_add(check->findings, refuses, leave(check, SLEEP_BLOCKED),
                             "look for a polkit rule about org.freedesktop.login1 that says no to all",
                             "systemd-logind", "logind answers \"no\" to %s: nobody may", method);
                break;
        case MANAGER_INHIBITED:
                if (!inhibited)
                        findings_add(check->findings, "inhibited", leave(check, SLEEP_BLOCKED),
                                     "see who it is with systemd-inhibit --list",
                                     "systemd-logind", "logind answers to %s that somebody holds it up", method);
                break;
        case MANAGER_UNKNOWN:
        case MANAGER_CHALLENGE:
        case MANAGER_YES:
                break;
        }
        if (manager->preparing)
                findings_add(check->findings, "sleeping", leave(check, SLEEP_BLOCKED),
                             "try again when it is awake", "systemd-logind", "this host is about to sleep already");
}

static void check_guests(Check *check) {
        for (size_t i = 0; i < check->view->n_guests; i++) {
                const SleepGuest *guest = check->view->guests + i;

                findings_add(check->findings, "guest-blocks", leave(check, SLEEP_BLOCKED),
                             "shut it down, save or migrate it, or give it another sleep policy",
                             guest->name, "the guest %s cannot take a sleep: %s", guest->name, guest->reason);
        }
}

/* Who sleeps first and goes to the disk later must wake in between. */
static void check_wake(Check *check) {
        const PowerView *view = check->view;

        if (!check->facts->alarm_clock)
                findings_add(check->findings, "no-alarm", leave(check, check->target == SLEEP_THEN_DISK ? SLEEP_NO : SLEEP_YES),
                             "load the driver of the machine's clock (rtc_cmos on a PC), or have the firmware wake it at a time",
                             "/sys/class/rtc", "no clock here can wake the host at a time: no /sys/class/rtc/rtc* has a wakealarm");
        if (check->facts->alarm_clock || !view->wake_known || view->network_armed)
                return;
        findings_add(check->findings, "nothing-wakes-it", leave(check, SLEEP_YES),
                     "arm a network card: ethtool -s NAME wol g, and \"enabled\" in its device's power/wakeup",
                     "/sys/devices", view->device_armed ?
                     "only somebody at the machine can wake it: it has no alarm clock, and no network card is armed" :
                     "nothing can wake this host: it has no alarm clock, and no device is armed");
}

SleepAnswer power_view_check(const PowerView *view, SleepTarget target, Findings *findings) {
        Check check = {
                .view = view,
                .facts = view->facts,
                .target = target,
                .answer = SLEEP_YES,
                .findings = findings,
        };

        check_state_known(&check);
        if (target == SLEEP_MEM || (target == SLEEP_THEN_DISK && power_view_default(view->facts) == SLEEP_MEM))
                check_deep(&check);
        if (target == SLEEP_IDLE || (target == SLEEP_THEN_DISK && power_view_default(view->facts) == SLEEP_IDLE))
                check_idle(&check);
        if (reaches_disk(target))
                check_disk(&check);
        check_manager(&check);
        check_guests(&check);
        check_wake(&check);
        return check.answer;
}
