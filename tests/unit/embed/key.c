/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Key files: written once and for their owner only, read back, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <adit/adit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct box {
    char dir[256], path[300];
};

static int
set_up(void **state)
{
    static struct box b;
    const char *tmp = getenv("TMPDIR");

    snprintf(b.dir, sizeof(b.dir), "%s/adit-key-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(b.dir) == NULL)
        return -1;
    snprintf(b.path, sizeof(b.path), "%s/key", b.dir);
    *state = &b;
    return 0;
}

static int
tear_down(void **state)
{
    struct box *b = *state;

    unlink(b->path);
    return rmdir(b->dir);
}

static void
put(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void
saved_and_loaded(void **state)
{
    struct box *b = *state;
    char id[ADIT_PEER_ID_BYTES], again[ADIT_PEER_ID_BYTES];
    mode_t old = umask(0);
    struct stat st;
    adit_key *k, *l;

    assert_int_equal(adit_key_new(&k), ADIT_OK);
    adit_key_peer_id(k, id);
    assert_int_equal(strncmp(id, "12D3KooW", 8), 0);
    assert_int_equal(adit_key_save(k, b->path), ADIT_OK);
    umask(old);
    assert_int_equal(stat(b->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 68);

    assert_int_equal(adit_key_load(b->path, &l), ADIT_OK);
    adit_key_peer_id(l, again);
    assert_string_equal(id, again);
    adit_key_free(l);

    /* Never over a file, whoever's it is. */
    errno = 0;
    assert_int_equal(adit_key_save(k, b->path), ADIT_EIO);
    assert_int_equal(errno, EEXIST);
    adit_key_free(k);
    adit_key_free(NULL);
}

static void
not_readable(void **state)
{
    struct box *b = *state;
    char path[400];
    adit_key *k = NULL;

    errno = 0;
    assert_int_equal(adit_key_load(b->path, &k), ADIT_EIO);
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_int_equal(adit_key_load(b->dir, &k), ADIT_EIO);
    assert_int_equal(errno, EISDIR);
    assert_null(k);

    assert_int_equal(adit_key_new(&k), ADIT_OK);
    snprintf(path, sizeof(path), "%s/none/key", b->dir);
    errno = 0;
    assert_int_equal(adit_key_save(k, path), ADIT_EIO);
    assert_int_equal(errno, ENOENT);
    adit_key_free(k);
}

static void
not_a_key(void **state)
{
    struct box *b = *state;
    uint8_t good[68], bad[400];
    adit_key *k;
    FILE *f;

    assert_int_equal(adit_key_new(&k), ADIT_OK);
    assert_int_equal(adit_key_save(k, b->path), ADIT_OK);
    adit_key_free(k);
    f = fopen(b->path, "rb");
    assert_int_equal(fread(good, 1, sizeof(good), f), sizeof(good));
    fclose(f);

    k = NULL;
    for (size_t n = 0; n < sizeof(good); n++) {
        put(b->path, good, n);
        assert_int_equal(adit_key_load(b->path, &k), ADIT_EINVAL);
    }
    memset(bad, 0, sizeof(bad));
    memcpy(bad, good, sizeof(good));
    put(b->path, bad, sizeof(good) + 1);
    assert_int_equal(adit_key_load(b->path, &k), ADIT_EINVAL);
    put(b->path, bad, sizeof(bad));
    assert_int_equal(adit_key_load(b->path, &k), ADIT_EINVAL);
    bad[67] ^= 1; /* its halves do not belong together */
    put(b->path, bad, sizeof(good));
    assert_int_equal(adit_key_load(b->path, &k), ADIT_EINVAL);
    assert_null(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(saved_and_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_a_key, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("embed/key", tests, NULL, NULL);
}
