#!/bin/bash
# Written by keelson: succeeds while the HAProxy of this host has an API server to send to.
exec 3<> /dev/tcp/127.0.0.1/8444 || exit 1
printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
IFS= read -r -t 2 status <&3
[[ $status == *' 200 '* ]]
