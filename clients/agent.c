/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pkttyagent, started for the time of one call.
 *
 * It says that it is registered by closing a descriptor that we gave it; so
 * does its end, if there is no polkit. It is told to leave by its process id.
 * It must not outlive us either, whatever ends us: the kernel sees to that. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent.h"

enum { READY_MSEC = 5000 };

bool agent_is_wanted(const Ctl *ctl) {
        return !ctl_option(ctl, OPTION_NO_ASK_PASSWORD) && !ctl_option(ctl, OPTION_ADDRESS) &&
                !ctl_option(ctl, OPTION_HOST) && geteuid() != 0 && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static void agent_run(int notify_fd, pid_t parent) {
        char fd[16], process[16];

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) /* it ended before that held */
                _exit(1);
        if (fcntl(notify_fd, F_SETFD, 0) < 0)
                _exit(1);
        snprintf(fd, sizeof fd, "%d", notify_fd);
        snprintf(process, sizeof process, "%d", (int) parent);
        execlp("pkttyagent", "pkttyagent", "--notify-fd", fd, "--process", process, NULL);
        _exit(127);
}

int agent_start(Agent *ret) {
        int pipe_fds[2];
        pid_t parent = getpid();

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_close_ int ready_fd = pipe_fds[0];

        pid_t pid = fork();
        if (pid < 0) {
                int r = -errno;
                close(pipe_fds[1]);
                return r;
        }
        if (pid == 0)
                agent_run(pipe_fds[1], parent);
        close(pipe_fds[1]);

        struct pollfd p = { .fd = ready_fd, .events = POLLIN };
        while (poll(&p, 1, READY_MSEC) < 0 && errno == EINTR)
                ;
        ret->pid = pid;
        return 0;
}

void agent_stop(Agent *agent) {
        if (agent->pid <= 0)
                return;
        /* Stopped at the terminal it would not see the first signal. */
        (void) kill(agent->pid, SIGTERM);
        (void) kill(agent->pid, SIGCONT);
        while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        agent->pid = 0;
}
