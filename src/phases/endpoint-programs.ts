import { HAPROXY_FILES, KEEPALIVED_FILES } from '../manifests/endpoint/files.js';
import { balancedOn, HAPROXY_BINARY, HAPROXY_UNIT } from '../manifests/endpoint/haproxy.js';
import { KEEPALIVED_BINARY, KEEPALIVED_UNIT, virtualOn } from '../manifests/endpoint/keepalived.js';

/**
 * What a host's part in the endpoint can consist of, in the order in which it is stopped. HAProxy goes first: as long
 * as the host has the virtual address, clients are told that their connections end, and connect anew. Once the
 * address is elsewhere nothing reaches them any more, and an idle one notices after up to 45 seconds.
 */
export const ENDPOINT_PROGRAMS = [
  {
    name: 'haproxy',
    binary: HAPROXY_BINARY,
    unit: HAPROXY_UNIT,
    files: HAPROXY_FILES,
    wantedOn: balancedOn,
  },
  {
    name: 'keepalived',
    binary: KEEPALIVED_BINARY,
    unit: KEEPALIVED_UNIT,
    files: KEEPALIVED_FILES,
    wantedOn: virtualOn,
  },
] as const;
