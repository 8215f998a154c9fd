#include "fuse/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

int mn_fuse_mount(const char *mountpoint, const char *source, int *fd_out)
{
    char options[160];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    /* No MS_NOSUID and no MS_NODEV: a replicated directory behaves as the lower one does (design
     * 5). */
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other", fd);
    if (mount(source, mountpoint, "fuse.mirror", 0, options) != 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    *fd_out = fd;
    return 0;
}

int mn_fuse_clone(int fd, int *fd_out)
{
    uint32_t master = (uint32_t)fd;
    int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (clone < 0)
        return -errno;
    if (ioctl(clone, FUSE_DEV_IOC_CLONE, &master) != 0) {
        int error = -errno;

        close(clone);
        return error;
    }
    *fd_out = clone;
    return 0;
}

int mn_fuse_parse(const uint8_t *buffer, size_t size, struct mn_fuse_request *request_out)
{
    const struct fuse_in_header *header = (const void *)buffer;

    if (size < sizeof(*header) || header->len != size)
        return -EBADMSG;
    request_out->header = header;
    request_out->body = buffer + sizeof(*header);
    request_out->body_size = size - sizeof(*header);
    return 0;
}

int mn_fuse_read(int fd, uint8_t *buffer, size_t size, struct mn_fuse_request *request_out)
{
    ssize_t got = read(fd, buffer, size);

    if (got < 0) {
        if (errno == ENODEV || errno == ECONNABORTED)
            return MN_FUSE_ENDED;
        if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
            return MN_FUSE_AGAIN; /* ENOENT: withdrawn between wake-up and read */
        return -errno;
    }
    return mn_fuse_parse(buffer, (size_t)got, request_out);
}

bool mn_fuse_has_request(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};

    return poll(&look, 1, 0) > 0;
}

int mn_fuse_reply_parts(int fd, uint64_t unique, struct iovec *parts, int part_count)
{
    struct fuse_out_header header = {.unique = unique};
    size_t size = sizeof(header);

    for (int i = 1; i < part_count; i++)
        size += parts[i].iov_len;
    header.len = (uint32_t)size;
    parts[0].iov_base = &header;
    parts[0].iov_len = sizeof(header);
    if (writev(fd, parts, part_count) < 0 && errno != ENOENT)
        return -errno; /* ENOENT: the caller was killed meanwhile */
    return 0;
}

int mn_fuse_reply(int fd, uint64_t unique, int error, const void *body, size_t size)
{
    struct fuse_out_header header = {.unique = unique, .error = error};
    struct iovec parts[2] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = (void *)(uintptr_t)body, .iov_len = error == 0 ? size : 0},
    };

    header.len = (uint32_t)(sizeof(header) + parts[1].iov_len);
    if (writev(fd, parts, parts[1].iov_len > 0 ? 2 : 1) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

int mn_fuse_forget_attributes(int fd, uint64_t nodeid)
{
    struct fuse_out_header header = {.error = FUSE_NOTIFY_INVAL_INODE};
    struct fuse_notify_inval_inode_out out = {.ino = nodeid, .off = -1};
    struct iovec parts[2] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = &out, .iov_len = sizeof(out)},
    };

    header.len = sizeof(header) + sizeof(out);
    if (writev(fd, parts, 2) < 0 && errno != ENOENT)
        return -errno; /* ENOENT: the kernel has forgotten it already */
    return 0;
}

int mn_fuse_negotiate(int fd, uint64_t wanted, uint16_t max_background,
                      struct mn_fuse_features *features_out)
{
    static uint8_t buffer[MN_FUSE_BUFFER_BYTES] __attribute__((aligned(8)));
    struct mn_fuse_request request = {0};
    const struct fuse_init_in *in;
    bool is_extended;
    uint64_t offered;
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION};
    int result;

    do {
        result = mn_fuse_read(fd, buffer, sizeof(buffer), &request);
    } while (result == MN_FUSE_AGAIN);
    if (result != 0 || request.header == NULL)
        return result < 0 ? result : -ENOTCONN;
    in = mn_fuse_fixed(&request, offsetof(struct fuse_init_in, flags2)); /* Linux 5.15, 5.16 */
    if (request.header->opcode != FUSE_INIT || in == NULL || in->major != FUSE_KERNEL_VERSION)
        return -EPROTO;
    offered = in->flags;
    is_extended = (offered & FUSE_INIT_EXT) != 0;
    if (is_extended && mn_fuse_fixed(&request, offsetof(struct fuse_init_in, unused)) == NULL)
        return -EPROTO;
    if (is_extended)
        offered |= (uint64_t)in->flags2 << 32;
    features_out->flags = offered & (wanted | FUSE_INIT_EXT);
    features_out->missing = wanted & ~offered;
    features_out->minor = in->minor;
    if (in->minor < out.minor)
        out.minor = in->minor;
    out.flags = (uint32_t)features_out->flags;
    out.flags2 = (uint32_t)(features_out->flags >> 32);
    out.max_readahead = in->max_readahead;
    out.max_background = max_background;
    out.congestion_threshold = (uint16_t)(max_background * 3 / 4);
    out.max_write = MN_FUSE_DATA_BYTES_MAX;
    out.max_pages =
        (uint16_t)(MN_FUSE_DATA_BYTES_MAX / sysconf(_SC_PAGESIZE)); /* 64 KiB on some */
    out.time_gran = 1;
    return mn_fuse_reply(fd, request.header->unique, 0, &out, sizeof(out));
}

const char *mn_fuse_text(const struct mn_fuse_request *request, size_t *offset)
{
    const uint8_t *start;
    const uint8_t *end;

    if (*offset >= request->body_size)
        return NULL;
    start = request->body + *offset;
    end = memchr(start, 0, request->body_size - *offset);
    if (end == NULL)
        return NULL;
    *offset += (size_t)(end - start) + 1;
    return (const char *)start;
}

const void *mn_fuse_fixed(const struct mn_fuse_request *request, size_t size)
{
    return request->body_size < size ? NULL : request->body;
}
