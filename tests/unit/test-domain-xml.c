/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* <domain> as it is shown: of the run, of what is stored, and given back. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "guest/backend.h"
#include "guest/definition.h"

static const Backend backend = { .name = "qemu" };

static Domain *make_domain(Guests *guests) {
        _cleanup_cpuset_ CpuSet cpus = {};
        VcpuTable *table = NULL;
        Domain *domain = NULL;

        g_assert_cmpint(domain_new(guests, &backend, "web & <db>", &domain), ==, 0);
        domain->run = domain;
        domain->state = DOMAIN_RUNNING;
        strcpy(domain->uuid, "12345678-1234-1234-1234-123456789abc");
        g_assert_cmpint(vcpu_table_new(3, 3, NULL, &table), ==, 0);
        for (uint32_t id = 0; id < 3; id++) {
                PlugUnit *unit = vcpu_table_add_unit(table, 1, id / 2, NULL);

                if (id == 1)
                        continue;
                unit->plugged = true;
                unit->order = id + 1;
                unit->removable = id > 0;
                unit->reason = id > 0 ? NULL : "it was there at the start";
                vcpu_table_enable(table, id, 0);
        }
        g_assert_cmpint(vcpu_table_finish(table), ==, 0);
        domain->vcpus = table;
        domain->vcpus_of_run = true;
        g_assert_cmpint(cpuset_add_range(&cpus, 2, 3), ==, 0);
        g_assert_cmpint(tuning_pin(&domain->live, THREAD_ROLE_VCPU, 1, &cpus), ==, 0);
        g_assert_cmpint(tuning_schedule(&domain->live, THREAD_ROLE_VCPU, 2, SCHEDULER_RR, 7), ==, 0);
        return domain;
}

static void a_guest_that_runs_is_shown(void) {
        _cleanup_(guests_freep) Guests *guests = NULL;
        _cleanup_free_ char *whole = NULL, *vcpus = NULL;
        Domain *domain;

        g_assert_cmpint(guests_new(NULL, NULL, &guests), ==, 0);
        domain = make_domain(guests);
        g_assert_cmpint(domain_to_xml(domain, false, &whole), ==, 0);
        g_assert_cmpstr(whole, ==,
                "<domain type=\"qemu\">\n"
                "  <name>web &amp; &lt;db&gt;</name>\n"
                "  <uuid>12345678-1234-1234-1234-123456789abc</uuid>\n"
                "  <vcpu current=\"2\">3</vcpu>\n"
                "  <vcpus>\n"
                "    <vcpu id=\"0\" state=\"enabled\" enabled=\"yes\" hotpluggable=\"no\" order=\"1\" cell=\"0\"/>\n"
                "    <vcpu id=\"1\" state=\"disabled\" enabled=\"no\" hotpluggable=\"yes\" cell=\"0\" pin=\"2-3\"/>\n"
                "    <vcpu id=\"2\" state=\"enabled\" enabled=\"yes\" hotpluggable=\"yes\" order=\"3\" cell=\"1\" scheduler=\"rr\"/>\n"
                "  </vcpus>\n"
                "  <cputune>\n"
                "    <vcpupin vcpu=\"1\" cpuset=\"2-3\"/>\n"
                "    <vcpusched vcpus=\"2\" scheduler=\"rr\" priority=\"7\"/>\n"
                "  </cputune>\n"
                "  <cpu>\n"
                "    <numa>\n"
                "      <cell id=\"0\" cpus=\"0-1\"/>\n"
                "      <cell id=\"1\" cpus=\"2\"/>\n"
                "    </numa>\n"
                "  </cpu>\n"
                "</domain>\n");
        g_assert_cmpint(domain_vcpus_to_xml(domain, false, &vcpus), ==, 0);
        g_assert_true(g_str_has_prefix(vcpus, "<vcpus>\n  <vcpu id=\"0\" state"));
        g_assert_null(strstr(vcpus, "cputune"));
        domain_free(domain);
}

static void what_is_shown_can_be_defined(void) {
        _cleanup_(guests_freep) Guests *guests = NULL;
        _cleanup_free_ char *live = NULL, *stored = NULL, *none = NULL;
        _cleanup_error_ Error error = {};
        Domain *domain;

        g_assert_cmpint(guests_new(NULL, NULL, &guests), ==, 0);
        domain = make_domain(guests);
        g_assert_cmpint(domain_to_xml(domain, true, &none), ==, -ENODATA);
        g_assert_cmpint(domain_to_xml(domain, false, &live), ==, 0);
        g_assert_cmpint(definition_parse(live, strlen(live), &error, &domain->definition), ==, 0);
        g_assert_null(domain->definition->ignored);
        g_assert_true(tuning_equal(&domain->definition->tuning, &domain->live));
        g_assert_true(cpuset_contains(&domain->definition->fixed, 0));
        g_assert_cmpint(domain_to_xml(domain, true, &stored), ==, 0);
        /* The order of what is stored is that of the ids. */
        g_assert_nonnull(strstr(stored, "order=\"2\""));
        g_assert_nonnull(strstr(stored, "<cell id=\"1\" cpus=\"2\"/>"));
        domain_free(domain);
}

static void what_is_not_known_is_left_out(void) {
        _cleanup_(guests_freep) Guests *guests = NULL;
        _cleanup_free_ char *xml = NULL, *vcpus = NULL;
        Domain *domain = NULL;

        g_assert_cmpint(guests_new(NULL, NULL, &guests), ==, 0);
        g_assert_cmpint(domain_new(guests, &backend, "a", &domain), ==, 0);
        g_assert_cmpint(domain_to_xml(domain, false, &xml), ==, -ENODATA);
        domain->run = domain;
        g_assert_cmpint(domain_to_xml(domain, false, &xml), ==, 0);
        g_assert_cmpstr(xml, ==, "<domain type=\"qemu\">\n  <name>a</name>\n</domain>\n");
        g_assert_cmpint(domain_vcpus_to_xml(domain, false, &vcpus), ==, 0);
        g_assert_cmpstr(vcpus, ==, "<vcpus/>\n");
        domain_free(domain);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/domain-xml/" #test, test)
        ADD(a_guest_that_runs_is_shown);
        ADD(what_is_shown_can_be_defined);
        ADD(what_is_not_known_is_left_out);
#undef ADD
        return g_test_run();
}
