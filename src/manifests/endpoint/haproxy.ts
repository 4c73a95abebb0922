import { isIPv6 } from 'node:net';
import { controlPlanes } from '../../config/inventory.js';
import type { ClusterConfig, EndpointSpec, ResolvedHost } from '../../config/types.js';
import { joinHostPort } from '../addresses.js';

/** Beside the distribution's own haproxy.cfg, where the distributions' confinements let HAProxy read. */
export const HAPROXY_CONFIG = '/etc/haproxy/keelson.cfg';
export const HAPROXY_UNIT = 'keelson-haproxy.service';
export const HAPROXY_UNIT_PATH = `/usr/lib/systemd/system/${HAPROXY_UNIT}`;
/** Where the distributions' packages put it. */
export const HAPROXY_BINARY = '/usr/sbin/haproxy';

type Balanced = Exclude<EndpointSpec, { provider: 'external' }>;

/** The endpoint that the host has a load balancer for; null where it has none. */
export function balancedOn(config: ClusterConfig, host: ResolvedHost): Balanced | null {
  const { endpoint } = config.spec;
  if (endpoint === null || endpoint.provider === 'external') return null;
  const local = endpoint.provider === 'node-local' && host.role === 'worker';
  return local || host.role === 'control-plane' ? endpoint : null;
}

/** Port on the loopback interface that answers 200 while HAProxy has somewhere to send to. */
export function healthPort(endpoint: Balanced): number {
  return endpoint.port + 1;
}

/**
 * HAProxy passes TLS through, so clients check the API server's certificate themselves; its own checks only
 * ask whether /readyz is fine, as anybody may. Connections to a server that is down are cut, so that clients
 * connect anew instead of waiting for a dead peer; one that says that it is shutting down gets no new ones and keeps
 * those that it has, since it answers what it was asked and closes them itself. Where no API server is ready, one that listens at least is
 * taken, since its answer says more than none. Servers that come and go are told on stderr, which the journal
 * keeps; no connection is logged.
 */
export function haproxyConfig(config: ClusterConfig, host: ResolvedHost, endpoint: Balanced): string {
  const servers = controlPlanes(config).map(({ name, localAPIEndpoint: { advertiseAddress, bindPort } }) => ({
    name,
    target: joinHostPort(advertiseAddress, bindPort),
  }));
  const lines = (prefix: string) => servers.map(({ name, target }) => `    ${prefix} ${name} ${target}`);
  return `# Written by keelson: balances the API servers of cluster ${config.name}.
global
    user haproxy
    group haproxy
    chroot /var/lib/haproxy
    maxconn 8000
    # After a reload the process before serves its connections on, so long at most.
    hard-stop-after 1h

defaults
    mode tcp
    option clitcpka
    option srvtcpka
    option redispatch 1
    retries 3
    timeout connect 2s
    timeout check 2s
    timeout client 5m
    timeout server 5m
    # As long as the kubelet lets an idle exec or attach live.
    timeout tunnel 4h

frontend kube-apiserver
${bindsOf(host, endpoint)
  .map((bind) => `    bind ${bind}`)
  .join('\n')}
    use_backend listening if { nbsrv(ready) eq 0 }
    default_backend ready

backend ready
    balance leastconn
    option httpchk GET /readyz
    http-check expect ! string "[-]shutdown" error-status L7OKC
    http-check expect status 200
    default-server check check-ssl verify none inter 2s fastinter 500ms downinter 1s rise 2 fall 2 on-marked-down shutdown-sessions
${lines('server').join('\n')}

backend listening
    balance leastconn
    default-server check inter 2s downinter 1s rise 1 fall 2
${lines('server').join('\n')}
${endpoint.provider === 'node-local' ? '' : healthFrontend(endpoint)}`;
}

function bindsOf(host: ResolvedHost, endpoint: Balanced): string[] {
  const { address, port } = endpoint;
  if (endpoint.provider === 'node-local')
    return [address, ...(endpoint.expose ? [host.nodeIP] : [])].map((own) => joinHostPort(own, port));
  // Every address, so that HAProxy runs before the virtual address comes.
  return [isIPv6(address) ? `[::]:${port} v6only` : `*:${port}`];
}

const healthFrontend = (endpoint: Balanced) => `
frontend health
    mode http
    bind 127.0.0.1:${healthPort(endpoint)}
    timeout client 5s
    monitor-uri /healthz
    monitor fail if { nbsrv(ready) eq 0 } { nbsrv(listening) eq 0 }
`;

/** `-Ws` tells systemd when HAProxy is ready; USR2 makes the master start new workers on the same sockets. */
export const HAPROXY_UNIT_FILE = `[Unit]
Description=HAProxy in front of the cluster's API servers
Documentation=man:haproxy(1) file:${HAPROXY_CONFIG}
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStartPre=${HAPROXY_BINARY} -c -q -f ${HAPROXY_CONFIG}
ExecStart=${HAPROXY_BINARY} -Ws -f ${HAPROXY_CONFIG}
ExecReload=${HAPROXY_BINARY} -c -q -f ${HAPROXY_CONFIG}
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`;
