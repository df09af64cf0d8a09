#!/bin/sh
# Runs inside the root file system, after the packages and Locust are there:
# makes the users and folders of the stock images, and drops what no pod
# needs, since every byte is unpacked anew by each real node of each bay.
set -eu

echo 'locust:x:1000:1000::/home/locust:/bin/sh' >> /etc/passwd
echo 'locust:x:1000:' >> /etc/group
echo 'nginx:x:101:101::/nonexistent:/bin/false' >> /etc/passwd
echo 'nginx:x:101:' >> /etc/group
mkdir -p /home/locust /etc/nginx/conf.d /usr/share/nginx/html
chown 1000:1000 /home/locust
echo 'nginx of the sandbox' > /usr/share/nginx/html/index.html
chmod 755 /docker-entrypoint.sh /usr/local/bin/locust

cd /usr/lib/python3.11
rm -rf ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo
cd /usr/local/lib/python3.11/dist-packages
find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find . \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' \) \
    -delete
rm -rf bin share
# Compiled once here: a pod runs unprivileged and could not keep its own.
find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
python3 -m compileall -q --invalidation-mode unchecked-hash \
    /usr/lib/python3.11 /usr/lib/python3 . || true

cd /
rm -rf /var/lib/apt /var/lib/dpkg /var/cache/* /var/log/* /etc/apt /boot \
    /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale \
    /usr/share/lintian /usr/share/zoneinfo /usr/share/bash-completion \
    /usr/share/perl* /usr/share/common-licenses /usr/share/dpkg \
    /usr/share/bug /usr/share/menu /usr/share/pixmaps /usr/share/debconf \
    /usr/lib/apt /usr/lib/dpkg /usr/lib/systemd /usr/lib/udev \
    /usr/lib/*-linux-gnu/gconv /usr/lib/*-linux-gnu/perl-base \
    /usr/lib/locale /usr/bin/perl* /usr/bin/apt* /usr/bin/dpkg* \
    /usr/sbin/e2* /usr/sbin/mke2fs /usr/sbin/mkfs* /usr/sbin/fsck* \
    /usr/lib/*-linux-gnu/libapt* /usr/lib/*-linux-gnu/libperl* \
    /usr/lib/*-linux-gnu/libicu* /usr/lib/*-linux-gnu/libstdc++.so.6.bak
rm -f /finish.sh
