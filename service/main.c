/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "berth-config.h"
#include "lib/log.h"
#include "service.h"

enum {
        EXIT_USAGE = 2,
};

/* For 500 guests: of each the monitor, the agent, the process, its pidfd and its
 * folder, and one for a walk; besides them some for the host and the bus. */
#define DESCRIPTORS_WANTED (500u * 6u + 100u)

static void help(void) {
        printf("berthd [OPTION…]\n\n"
               "Shows this host on D-Bus, as org.berth1. Usually systemd starts it.\n\n"
               "  --address=ADDRESS    a bus other than the system's\n"
               "  --root=DIR           a captured host (a folder with sys/ and proc/) instead\n"
               "                       of this one\n"
               "  --runtime-dir=DIR    instead of " BERTH_RUNTIME_DIR "\n"
               "  --state-dir=DIR      instead of " BERTH_STATE_DIR "\n"
               "  --config=FILE        instead of " BERTH_CONFIG "\n"
               "  --help\n"
               "  --version\n\n"
               "See berthd(8), org.berth1(5).\n");
}

/* Returns 0 to go on, 1 to stop with success, EXIT_USAGE. */
static int parse_arguments(int argc, char **argv, ServiceOptions *options) {
        enum { ADDRESS = 0x100, ROOT, RUNTIME_DIR, STATE_DIR, CONFIG, HELP, VERSION };
        static const struct option names[] = {
                { "address", required_argument, NULL, ADDRESS },
                { "root", required_argument, NULL, ROOT },
                { "runtime-dir", required_argument, NULL, RUNTIME_DIR },
                { "state-dir", required_argument, NULL, STATE_DIR },
                { "config", required_argument, NULL, CONFIG },
                { "help", no_argument, NULL, HELP },
                { "version", no_argument, NULL, VERSION },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0)
                switch (c) {
                case ADDRESS:
                        options->address = optarg;
                        break;
                case ROOT:
                        options->root = optarg;
                        break;
                case RUNTIME_DIR:
                        options->runtime_dir = optarg;
                        break;
                case STATE_DIR:
                        options->state_dir = optarg;
                        break;
                case CONFIG:
                        options->config = optarg;
                        break;
                case HELP:
                        help();
                        return 1;
                case VERSION:
                        printf("berthd " BERTH_VERSION "\n");
                        return 1;
                default:
                        fprintf(stderr, "Try berthd --help.\n");
                        return EXIT_USAGE;
                }

        if (optind < argc) {
                fprintf(stderr, "berthd: there is no argument \"%s\". Try berthd --help.\n", argv[optind]);
                return EXIT_USAGE;
        }
        return 0;
}

/* The soft limit is 1,024 for the sake of select(2), which nothing here calls. */
static void raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        if (limit.rlim_cur < limit.rlim_max &&
            setrlimit(RLIMIT_NOFILE, &(struct rlimit) { limit.rlim_max, limit.rlim_max }) >= 0)
                limit.rlim_cur = limit.rlim_max;
        if (limit.rlim_cur < DESCRIPTORS_WANTED)
                log_warning("This process may have %llu descriptors, which is too few for 500 guests: %u would do (LimitNOFILE=)",
                            (unsigned long long) limit.rlim_cur, DESCRIPTORS_WANTED);
}

int main(int argc, char **argv) {
        ServiceOptions options = {
                .root = "/",
                .runtime_dir = BERTH_RUNTIME_DIR,
                .state_dir = BERTH_STATE_DIR,
                .config = BERTH_CONFIG,
        };
        _cleanup_(service_freep) Service *service = NULL;
        _cleanup_error_ Error error = {};
        int r;

        r = parse_arguments(argc, argv, &options);
        if (r != 0)
                return r == 1 ? EXIT_SUCCESS : r;

        raise_descriptor_limit();
        r = service_new(&options, &error, &service);
        if (r < 0) {
                log_error("%s", error.message ?: strerror(-r));
                return EXIT_FAILURE;
        }
        r = service_run(service);
        if (r < 0)
                log_error("The loop failed: %s", strerror(-r));
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
