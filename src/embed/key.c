/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/handle.h"
#include "embed/cross.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(ADIT_PEER_ID_BYTES == ADIT_PEERID_TEXT_BYTES,
               "a peer id's text outside is one inside");

/* More than any Ed25519 key file has, old ones of go included: what fills
 * it is none. */
#define KEY_FILE_MAX_BYTES 256

adit_err
adit_key_new(adit_key **out)
{
    adit_key *k = ADIT_CROSS_NEW(struct adit_key_handle);
    struct adit_rng rng = adit_rng_system();

    if (k == NULL)
        return ADIT_ENOMEM;
    adit_identity_make(&k->id, &rng);
    *out = k;
    return ADIT_OK;
}

void
adit_key_free(adit_key *k)
{
    if (k == NULL)
        return;
    adit_identity_fini(&k->id);
    ADIT_CROSS_FREE(k);
}

void
adit_key_peer_id(const adit_key *k, char out[ADIT_PEER_ID_BYTES])
{
    adit_peerid_format(&k->id.id, out);
}

/* Up to `cap` bytes to the end of the file; -1: errno. */
static ssize_t
read_all(int fd, uint8_t *buf, size_t cap)
{
    size_t n = 0;

    while (n < cap) {
        ssize_t k = read(fd, buf + n, cap - n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        n += (size_t)k;
    }
    return (ssize_t)n;
}

adit_err
adit_key_load(const char *path, adit_key **out)
{
    uint8_t buf[KEY_FILE_MAX_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    adit_key *k = NULL;
    ssize_t n;
    int saved;
    adit_err e;

    if (fd < 0)
        return ADIT_EIO;
    n = read_all(fd, buf, sizeof(buf));
    saved = errno;
    close(fd);
    errno = saved;
    if (n < 0)
        return ADIT_EIO;
    k = ADIT_CROSS_NEW(struct adit_key_handle);
    e = k == NULL ? ADIT_ENOMEM
                  : adit_identity_dec(adit_slice(buf, (size_t)n), &k->id);
    adit_wipe(buf, sizeof(buf));
    if (e != ADIT_OK) {
        adit_key_free(k);
        return e;
    }
    *out = k;
    return ADIT_OK;
}

static bool
write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

adit_err
adit_key_save(const adit_key *k, const char *path)
{
    uint8_t buf[ADIT_PRIVKEY_BYTES];
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    bool ok;
    int saved;

    if (fd < 0)
        return ADIT_EIO;
    adit_identity_enc(&k->id, buf);
    ok = write_all(fd, buf, sizeof(buf)) && fsync(fd) == 0;
    saved = errno;
    adit_wipe(buf, sizeof(buf));
    if (close(fd) != 0 && ok) {
        saved = errno;
        ok = false;
    }
    if (!ok) {
        unlink(path); /* half a key is worse than none */
        errno = saved;
    }
    return ok ? ADIT_OK : ADIT_EIO;
}
