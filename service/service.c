/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "service.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "berth-config.h"
#include "bus/authorize.h"
#include "bus/connection.h"
#include "bus/logind.h"
#include "bus/tree.h"
#include "faces/domains.h"
#include "faces/host.h"
#include "faces/host-power.h"
#include "faces/manager.h"
#include "guest/definitions.h"
#include "guest/qemu/backend.h"
#include "guest/qemu/registered.h"
#include "host/host.h"
#include "lib/config.h"
#include "lib/log.h"
#include "lib/workers.h"
#include "placement/host-cpus.h"

#define BUS_NAME "org.berth1"
#define ROOT_PATH "/org/berth1"

struct Service {
        ServiceOptions options;
        Config config;
        Findings config_findings;
        bool polkit_missing;

        sd_event *event;
        sd_bus *bus;
        Workers *workers;
        Tree *tree;
        Authorizer *authorizer;
        Host *host;
        HostFaces *host_faces;
        HostPower host_power;
        Logind *logind;
        Guests *guests;
        Definitions *definitions;
        QemuBackend *qemu;
        QemuRegistered *registered;
        const char *backends[2];
        DomainFaces *domain_faces;
        Manager manager;
};

static AuthorizerLimits authorizer_limits(const Config *config) {
        return (AuthorizerLimits) {
                .per_user = config->pending_per_user,
                .total = config->pending_total,
                .timeout_usec = config->authorization_timeout_usec,
                .interactive_usec = config->interactive_timeout_usec,
        };
}

/* What the manager warns of is put together from what each module has to say. */
static void service_update_warnings(Service *service) {
        Findings findings = {};

        findings_append(&findings, &service->config_findings);
        if (service->polkit_missing)
                findings_add(&findings, "polkit-missing", SEVERITY_WARNS,
                             "install and start polkit (Debian: apt install polkitd)", "org.freedesktop.PolicyKit1",
                             "there is no polkit on the bus: changes are refused to everybody but root");
        if (service->definitions)
                findings_append(&findings, definitions_findings(service->definitions));
        manager_set_findings(&service->manager, &findings);
}

static void service_read_config(Service *service) {
        findings_clear(&service->config_findings);
        config_set_defaults(&service->config);
        (void) config_read(&service->config, service->options.config, &service->config_findings);
        log_set_level(service->config.log_level);

        for (size_t i = 0; i < service->config_findings.n_items; i++) {
                const Finding *finding = service->config_findings.items + i;

                log_fields(LOG_WARNING, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_CONFIG_INVALID, "BERTH_SUBJECT", finding->subject),
                           "%s: %s", finding->subject, finding->message);
        }
}

static void on_polkit_changed(bool missing, void *userdata) {
        Service *service = userdata;

        if (missing && !service->polkit_missing)
                log_fields(LOG_WARNING, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_POLKIT_MISSING),
                           "There is no polkit on the bus: changes are refused to everybody but root");
        service->polkit_missing = missing;
        service_update_warnings(service);
}

static void on_definitions_changed(void *userdata) {
        service_update_warnings(userdata);
}

static int on_workers(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        workers_dispatch(userdata);
        return 0;
}

static GuestSettings guest_settings(const Config *config) {
        return (GuestSettings) {
                .unplug_timeout_usec = config->unplug_timeout_usec,
                .job_timeout_usec = config->job_timeout_usec,
                .agent_timeout_usec = config->agent_timeout_usec,
        };
}

static void on_reloaded(void *userdata) {
        (void) sd_notify(0, "READY=1");
}

/* Reads settings and host anew, and tells systemd when that is done. */
static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Service *service = userdata;
        AuthorizerLimits limits;
        GuestSettings settings;

        (void) sd_notify(0, "RELOADING=1");
        service_read_config(service);
        limits = authorizer_limits(&service->config);
        authorizer_set_limits(service->authorizer, &limits);
        settings = guest_settings(&service->config);
        guests_set_settings(service->guests, &settings);
        host_set_coalesce(service->host, service->config.coalesce_usec);
        service_update_warnings(service);
        if (host_refresh_then(service->host, on_reloaded, NULL) < 0)
                on_reloaded(NULL);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Service *service = userdata;

        return sd_event_exit(service->event, 0);
}

static int service_take_signals(Service *service) {
        static const struct { int signal; sd_event_signal_handler_t handler; } signals[] = {
                { SIGHUP, on_reload },
                { SIGTERM, on_stop },
                { SIGINT, on_stop },
        };
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                sigaddset(&set, signals[i].signal);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                int r = sd_event_add_signal(service->event, NULL, signals[i].signal, signals[i].handler, service);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void on_power_changed(unsigned change, void *userdata) {
        host_power_changed(userdata, change);
}

static void on_alarm_changed(void *userdata) {
        host_power_alarm_changed(userdata);
}

static void on_logind_changed(const LogindState *state, void *userdata) {
        Service *service = userdata;

        if (host_power_take_logind(&service->host_power, state) < 0)
                log_warning("There is not enough memory for what logind says of sleep");
}

/* Nothing may differ from what was assumed before anybody answered, and is known all the
 * same. */
static void on_logind_looked(const LogindState *state, void *userdata) {
        if (state)
                on_logind_changed(state, userdata);
}

static void on_prepare_for_sleep(bool start, void *userdata) {
        Service *service = userdata;

        host_power_tell_sleep(&service->host_power, start);
        if (!start) {
                power_refresh(service->host_power.power);
                logind_refresh(service->logind);
        }
}

/* What is known of sleep comes from the host's files and from logind. */
static int service_find_power(Service *service) {
        static const LogindHandlers handlers = {
                .changed = on_logind_changed,
                .prepare_for_sleep = on_prepare_for_sleep,
        };
        int r;

        service->host_power.host = service->host;
        r = power_new(service->host, service->event, on_power_changed, &service->host_power, &service->host_power.power);
        if (r >= 0)
                r = alarm_new(service->host, service->event, service->options.runtime_dir, on_alarm_changed, &service->host_power, &service->host_power.alarm);
        if (r >= 0)
                r = logind_new(service->bus, NULL, &handlers, service, &service->logind);
        if (r >= 0)
                r = logind_look(service->logind, on_logind_looked, service);
        return r;
}

/* Without a folder for guests the host is shown all the same. */
static int service_find_guests(Service *service) {
        GuestSettings settings = guest_settings(&service->config);
        int r;

        r = guests_new(service->event, service->workers, &service->guests);
        if (r < 0)
                return r;
        guests_set_settings(service->guests, &settings);
        r = host_cpus_follow(service->host, service->guests);
        if (r < 0)
                return r;
        r = definitions_new(service->guests, &qemu_backend_calls, service->options.runtime_dir, service->options.state_dir, &service->definitions);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_warning("What is stored for guests cannot be used: %s", strerror(-r));
        r = qemu_backend_new(service->event, service->guests, service->options.runtime_dir, &service->qemu);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_warning("Guests are not shown, since %s/domains cannot be used: %s", service->options.runtime_dir,
                            r == -EPERM ? "it must belong to root, and be written to by nobody else" : strerror(-r));
        else
                service->backends[0] = "qemu";
        r = qemu_registered_new(service->guests, service->options.runtime_dir, &service->registered);
        if (r < 0)
                return r;
        qemu_registered_restore_stored(service->registered);
        return 0;
}

/* The connection is started first: the bus answers while the host is read. */
int service_new(const ServiceOptions *options, Error *error, Service **ret) {
        _cleanup_(service_freep) Service *service = NULL;
        AuthorizerLimits limits;
        int r;

        service = calloc(1, sizeof *service);
        if (!service)
                return -ENOMEM;
        service->options = *options;
        service_read_config(service);

        r = sd_event_new(&service->event);
        if (r >= 0)
                r = service_take_signals(service);
        if (r >= 0)
                r = workers_new(&service->workers);
        if (r >= 0)
                r = sd_event_add_io(service->event, NULL, workers_fd(service->workers), EPOLLIN, on_workers, service->workers);
        if (r >= 0)
                r = connection_open(options->address, service->event, error, &service->bus);
        if (r >= 0)
                r = host_new(service->event, service->workers, options->root, service->config.coalesce_usec, error, &service->host);
        if (r < 0)
                return r;
        r = host_watch_error(service->host);
        if (r < 0)
                log_warning("The kernel's notifications cannot be heard, so changes of the host are seen at SIGHUP only: %s", strerror(-r));

        limits = authorizer_limits(&service->config);
        r = tree_new(service->bus, service->event, ROOT_PATH, &service->tree);
        if (r >= 0)
                r = authorizer_new(service->bus, service->event, &limits, &service->authorizer);
        if (r < 0)
                return r;
        tree_set_authorizer(service->tree, service->authorizer);

        r = service_find_guests(service);
        if (r >= 0)
                r = service_find_power(service);
        if (r < 0)
                return r;
        service->manager = (Manager) {
                .tree = service->tree,
                .host = service->host,
                .guests = service->guests,
                .registered = service->registered,
                .backends = service->backends,
                .version = BERTH_VERSION,
        };
        if (service->definitions)
                definitions_follow(service->definitions, on_definitions_changed, service);
        service_update_warnings(service);
        r = manager_publish(&service->manager);
        if (r >= 0)
                r = host_faces_new(service->tree, service->host, &service->host_power, &service->host_faces);
        if (r >= 0)
                r = domain_faces_new(service->tree, service->guests, &service->domain_faces);
        if (r >= 0)
                r = authorizer_watch(service->authorizer, on_polkit_changed, service);
        if (r >= 0) {
                tree_settle(service->tree);
                r = connection_own(service->bus, BUS_NAME, error);
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(service);
        return 0;
}

int service_run(Service *service) {
        size_t n_cpus = service->host->topology->n_cpus, n_cells = service->host->n_cells;
        int r;

        log_fields(LOG_INFO, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_STARTED, "BERTH_ROOT", service->options.root),
                   "berthd " BERTH_VERSION " is on the bus; it shows %zu CPU%s in %zu cell%s%s%s",
                   n_cpus, n_cpus == 1 ? "" : "s", n_cells, n_cells == 1 ? "" : "s",
                   service->host->live ? "" : " of the host below ", service->host->live ? "" : service->options.root);
        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(service->event);
        (void) sd_notify(0, "STOPPING=1");
        return r;
}

/* Jobs first, since they come back to models, and with them the calls that wait for
 * one; then what shows models, then these. A guest that goes may want a job still: it is
 * refused. */
Service *service_free(Service *service) {
        if (!service)
                return NULL;
        workers_stop(service->workers);
        if (service->host) {
                host_stop(service->host);
                host_unlisten(service->host, service->guests);
        }
        qemu_registered_free(service->registered);
        qemu_backend_free(service->qemu);
        domain_faces_free(service->domain_faces);
        definitions_free(service->definitions);
        guests_free(service->guests);
        logind_free(service->logind);
        host_faces_free(service->host_faces);
        alarm_free(service->host_power.alarm);
        power_free(service->host_power.power);
        manager_unpublish(&service->manager);
        authorizer_free(service->authorizer);
        tree_free(service->tree);
        host_free(service->host);
        workers_free(service->workers);
        (void) sd_bus_flush_close_unref(service->bus);
        (void) sd_event_unref(service->event);
        findings_clear(&service->config_findings);
        free(service);
        return NULL;
}
