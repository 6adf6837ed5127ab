/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "config.h"

#include "policy/asn.h"

#ifdef ADIT_WITH_RELAY
#include <maxminddb.h>
#include <netinet/in.h>

/* GeoLite2-ASN and those made like it; GeoIP2-ISP has the same field. */
static const char *const types[] = { "ASN", "ISP" };

#define FIELD "autonomous_system_number"

struct adit_asn {
    struct adit_mem *mem;
    MMDB_s db;
};

static bool
is_of_systems(const MMDB_s *db)
{
    const char *type = db->metadata.database_type;

    for (size_t i = 0; type != NULL && i < ADIT_NITEMS(types); i++)
        if (strstr(type, types[i]) != NULL)
            return true;
    return false;
}

adit_err
adit_asn_open(struct adit_mem *mem, const char *path, struct adit_asn **out,
              char why[ADIT_ASN_WHY_BYTES])
{
    struct adit_asn *a = ADIT_NEW(mem, struct adit_asn);
    int status;

    snprintf(why, ADIT_ASN_WHY_BYTES, "out of memory");
    if (a == NULL)
        return ADIT_ENOMEM;
    a->mem = mem;
    status = MMDB_open(path, MMDB_MODE_MMAP, &a->db);
    if (status != MMDB_SUCCESS) {
        ADIT_FREE(mem, a);
        switch (status) {
        case MMDB_OUT_OF_MEMORY_ERROR:
            return ADIT_ENOMEM;
        case MMDB_FILE_OPEN_ERROR:
        case MMDB_IO_ERROR:
            snprintf(why, ADIT_ASN_WHY_BYTES, "it cannot be read");
            return ADIT_EIO;
        }
        snprintf(why, ADIT_ASN_WHY_BYTES,
                 "no database in MaxMind's format, or a damaged one");
        return ADIT_EINVAL;
    }
    if (!is_of_systems(&a->db)) {
        snprintf(why, ADIT_ASN_WHY_BYTES,
                 "a database of \"%.40s\", not of autonomous systems",
                 a->db.metadata.database_type != NULL
                     ? a->db.metadata.database_type
                     : "");
        adit_asn_close(a);
        return ADIT_EINVAL;
    }
    *out = a;
    return ADIT_OK;
}

void
adit_asn_close(struct adit_asn *a)
{
    if (a == NULL)
        return;
    MMDB_close(&a->db);
    ADIT_FREE(a->mem, a);
}

uint32_t
adit_asn_of(const struct adit_asn *a, struct adit_slice ip)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    MMDB_lookup_result_s found;
    MMDB_entry_data_s v;
    int status;

    if (a == NULL || (ip.n != 4 && ip.n != 16))
        return 0;
    memcpy(ip.n == 4 ? (void *)&in4.sin_addr : (void *)&in6.sin6_addr, ip.p,
           ip.n);
    found = MMDB_lookup_sockaddr(&a->db,
                                 ip.n == 4 ? (const struct sockaddr *)&in4
                                           : (const struct sockaddr *)&in6,
                                 &status);
    /* A damaged file, or IPv6 in one of IPv4 alone: it is not known. */
    if (status != MMDB_SUCCESS || !found.found_entry ||
        MMDB_get_value(&found.entry, &v, FIELD, NULL) != MMDB_SUCCESS ||
        !v.has_data || v.type != MMDB_DATA_TYPE_UINT32)
        return 0;
    return v.uint32;
}

#else /* built without the library */

adit_err
adit_asn_open(struct adit_mem *mem, const char *path, struct adit_asn **out,
              char why[ADIT_ASN_WHY_BYTES])
{
    (void)mem;
    (void)path;
    (void)out;
    snprintf(why, ADIT_ASN_WHY_BYTES,
             "this adit was built without libmaxminddb");
    return ADIT_EUNSUPPORTED;
}

void
adit_asn_close(struct adit_asn *a)
{
    (void)a;
}

uint32_t
adit_asn_of(const struct adit_asn *a, struct adit_slice ip)
{
    (void)a;
    (void)ip;
    return 0;
}

#endif
