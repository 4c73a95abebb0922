import { isIPv6 } from 'node:net';
import { controlPlanes } from '../../config/inventory.js';
import type { ClusterConfig, EndpointSpec, ResolvedHost } from '../../config/types.js';
import { HAPROXY_UNIT, healthPort } from './haproxy.js';

export const KEEPALIVED_CONFIG = '/etc/keepalived/keelson.conf';
/** In the directory whose scripts SELinux lets keepalived run. */
export const KEEPALIVED_CHECK = '/usr/libexec/keepalived/keelson-check';
export const KEEPALIVED_UNIT = 'keelson-keepalived.service';
export const KEEPALIVED_UNIT_PATH = `/usr/lib/systemd/system/${KEEPALIVED_UNIT}`;
export const KEEPALIVED_BINARY = '/usr/sbin/keepalived';

type Virtual = Extract<EndpointSpec, { provider: 'keepalived-haproxy' }>;

/** The virtual address that the host takes turns with; null where it has no part in one. */
export function virtualOn(config: ClusterConfig, host: ResolvedHost): Virtual | null {
  const { endpoint } = config.spec;
  return endpoint?.provider === 'keepalived-haproxy' && host.role === 'control-plane' ? endpoint : null;
}

/**
 * Advertisements go to the other control planes alone, so that networks without multicast will do. All begin
 * as BACKUP, and whoever has the address keeps it while it is healthy: a move breaks connections.
 * @param networkInterface where the address is to be
 */
export function keepalivedConfig(
  config: ClusterConfig,
  host: ResolvedHost,
  endpoint: Virtual,
  networkInterface: string,
): string {
  const planes = controlPlanes(config);
  const own = host.localAPIEndpoint?.advertiseAddress ?? host.nodeIP;
  const peers = planes.filter((other) => other.name !== host.name);
  const prefix = isIPv6(endpoint.address) ? 128 : 32;
  const unicast = peers.map((other) => `        ${other.localAPIEndpoint.advertiseAddress}`);
  return `# Written by keelson: the virtual address of cluster ${config.name}.
global_defs {
    router_id ${host.name}
    enable_script_security
    script_user nobody
}

vrrp_script haproxy {
    script "${KEEPALIVED_CHECK}"
    interval 1
    timeout 3
    fall 2
    rise 2
    init_fail
}

vrrp_instance kube-apiserver {
    state BACKUP
    nopreempt
    interface ${networkInterface}
    virtual_router_id ${endpoint.virtualRouterId}
    priority ${100 - planes.findIndex((other) => other.name === host.name)}
    advert_int 1
${unicast.length === 0 ? '' : `    unicast_src_ip ${own}\n    unicast_peer {\n${unicast.join('\n')}\n    }\n`}    virtual_ipaddress {
        ${endpoint.address}/${prefix} dev ${networkInterface}
    }
    track_script {
        haproxy
    }
}
`;
}

/** Needs no program beside bash: not every host has curl. */
export function keepalivedCheck(endpoint: Virtual): string {
  return `#!/bin/bash
# Written by keelson: succeeds while the HAProxy of this host has an API server to send to.
exec 3<> /dev/tcp/127.0.0.1/${healthPort(endpoint)} || exit 1
printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3
IFS= read -r -t 2 status <&3
[[ $status == *' 200 '* ]]
`;
}

export const KEEPALIVED_UNIT_FILE = `[Unit]
Description=keepalived that holds the virtual address of the cluster's API
Documentation=man:keepalived.conf(5) file:${KEEPALIVED_CONFIG}
After=network-online.target ${HAPROXY_UNIT}
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=${KEEPALIVED_BINARY} --dont-fork --vrrp --use-file ${KEEPALIVED_CONFIG} --pid /run/keelson-keepalived.pid --vrrp_pid /run/keelson-keepalived-vrrp.pid
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`;
