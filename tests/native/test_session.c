/* INIT as older kernels send it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "fuse/session.h"

static long page_bytes; /* of the kernel, when it is not this one's */

/* In place of the C library's. */
extern long __sysconf(int name);
long sysconf(int name)
{
    return name == _SC_PAGESIZE && page_bytes != 0 ? page_bytes : __sysconf(name);
}

struct init {
    struct fuse_in_header header;
    struct fuse_init_in in;
};

/* What becomes of an INIT whose body has so many bytes. */
static int negotiate(struct init *init, size_t body_bytes, struct mn_fuse_features *features_out,
                     struct fuse_init_out *out)
{
    uint8_t answer[sizeof(struct fuse_out_header) + sizeof(*out)];
    int sockets[2];
    int result;

    memset(out, 0, sizeof(*out));
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    init->header = (struct fuse_in_header){
        .len = (uint32_t)(sizeof(init->header) + body_bytes), .opcode = FUSE_INIT, .unique = 2};
    CHECK_INT(send(sockets[0], init, init->header.len, 0), init->header.len);
    result = mn_fuse_negotiate(sockets[1], FUSE_POSIX_ACL | FUSE_HANDLE_KILLPRIV_V2 | (1ULL << 40),
                               8, features_out);
    if (result == 0) {
        CHECK_INT(recv(sockets[0], answer, sizeof(answer), 0), sizeof(answer));
        memcpy(out, answer + sizeof(struct fuse_out_header), sizeof(*out));
    }
    close(sockets[0]);
    close(sockets[1]);
    return result;
}

int main(void)
{
    struct init init = {.in = {.major = FUSE_KERNEL_VERSION}};
    struct mn_fuse_features features;
    struct fuse_init_out out;

    RUN("the INIT of Linux 5.15 and 5.16 has no second word of flags");
    init.in.minor = 34;
    init.in.flags = FUSE_POSIX_ACL;
    init.in.flags2 = UINT32_MAX; /* not sent */
    CHECK_INT(negotiate(&init, offsetof(struct fuse_init_in, flags2), &features, &out), 0);
    CHECK_INT(features.minor, 34);
    CHECK(features.flags == FUSE_POSIX_ACL);
    CHECK(features.missing == (FUSE_HANDLE_KILLPRIV_V2 | (1ULL << 40)));
    CHECK_INT(out.minor, 34);
    CHECK_INT(out.flags, FUSE_POSIX_ACL);

    RUN("a later one has, and says so");
    init.in.minor = FUSE_KERNEL_MINOR_VERSION;
    init.in.flags = FUSE_POSIX_ACL | FUSE_INIT_EXT;
    init.in.flags2 = 1U << 8;
    CHECK_INT(negotiate(&init, sizeof(init.in), &features, &out), 0);
    CHECK(features.flags == (FUSE_POSIX_ACL | FUSE_INIT_EXT | (1ULL << 40)));
    CHECK(features.missing == FUSE_HANDLE_KILLPRIV_V2);
    CHECK_INT(out.flags2, 1U << 8);

    RUN("a READ or WRITE is 1 MiB at most, however large a page is");
    page_bytes = 4096;
    CHECK_INT(negotiate(&init, sizeof(init.in), &features, &out), 0);
    CHECK_INT(out.max_pages, 256);
    page_bytes = 65536;
    CHECK_INT(negotiate(&init, sizeof(init.in), &features, &out), 0);
    CHECK_INT(out.max_pages, 16);
    CHECK_INT(out.max_write, 16 * page_bytes);
    page_bytes = 0;

    RUN("one that is cut short, or says that it has what it has not, is refused");
    CHECK_INT(negotiate(&init, offsetof(struct fuse_init_in, flags2), &features, &out), -EPROTO);
    CHECK_INT(negotiate(&init, offsetof(struct fuse_init_in, flags), &features, &out), -EPROTO);
    return 0;
}
