/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domain-vcpus.gen.h"

int domain_vcpus_get_vcpu(Domain *model, const DomainVcpusGetVcpuArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_list_threads(Domain *model, const DomainVcpusListThreadsArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_vcpu_check(Domain *model, const DomainVcpusSetVcpuArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_vcpu(Domain *model, const DomainVcpusSetVcpuArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_vcpus_check(Domain *model, const DomainVcpusSetVcpusArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_vcpus(Domain *model, const DomainVcpusSetVcpusArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_count_check(Domain *model, const DomainVcpusSetCountArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_count(Domain *model, const DomainVcpusSetCountArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_cell_vcpus_check(Domain *model, const DomainVcpusSetCellVcpusArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_cell_vcpus(Domain *model, const DomainVcpusSetCellVcpusArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_check(Domain *model, const DomainVcpusPinArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin(Domain *model, const DomainVcpusPinArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_all_check(Domain *model, const DomainVcpusPinAllArgs *args, sd_bus_message *call, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_all(Domain *model, const DomainVcpusPinAllArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_emulator_check(Domain *model, const DomainVcpusPinEmulatorArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_emulator(Domain *model, const DomainVcpusPinEmulatorArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_iothread_check(Domain *model, const DomainVcpusPinIothreadArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_pin_iothread(Domain *model, const DomainVcpusPinIothreadArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_scheduler_check(Domain *model, const DomainVcpusSetSchedulerArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_set_scheduler(Domain *model, const DomainVcpusSetSchedulerArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_vcpus_get_xml(Domain *model, const DomainVcpusGetXmlArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}
