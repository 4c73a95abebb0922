import type { CertificateRequest } from './request.js';
import { canonicalIp } from './san.js';

/** A kubelet's request for a serving certificate, as the API has it. */
export interface ServingRequest {
  /** Who sent it: `system:node:NAME`. */
  username: string;
  groups: readonly string[];
  /** Kubernetes' names: `server auth`. */
  usages: readonly string[];
  asked: CertificateRequest;
}

/** A node as its host shows it. */
export interface KnownNode {
  name: string;
  /** DNS names that it may ask for, beside its own. */
  names: readonly string[];
  addresses: readonly string[];
}

const USAGES = ['digital signature', 'key encipherment', 'server auth'];

/**
 * Why a request for a serving certificate is not approved, one clause each; [] where the node that sent it asks for
 * itself, at names and addresses that its host has, and for nothing but serving.
 */
export function servingFaults(
  { username, groups, usages, asked }: ServingRequest,
  node: KnownNode,
): string[] {
  const identity = `system:node:${node.name}`;
  const allowed = new Set([
    ...[node.name, ...node.names].map((name) => `dns:${name.toLowerCase()}`),
    ...node.addresses.map((address) => `ip:${canonicalIp(address) ?? address}`),
  ]);
  const foreign = asked.sans.filter((san) => !allowed.has(canonical(san)));
  const wrong = usages.filter((usage) => !USAGES.includes(usage));
  return [
    ...(username === identity ? [] : [`it was sent by ${username}`]),
    ...(groups.includes('system:nodes') ? [] : ['its sender is no node']),
    ...(asked.commonName === identity ? [] : [`it asks to be ${asked.commonName}`]),
    ...(asked.organizations.join() === 'system:nodes'
      ? []
      : [`it asks for the groups ${asked.organizations.join(', ') || '(none)'}`]),
    ...(asked.sans.length > 0 ? [] : ['it names neither name nor address']),
    ...(foreign.length === 0 ? [] : [`the host does not have ${foreign.join(', ')}`]),
    ...(usages.includes('server auth') ? [] : ['it is not for serving']),
    ...(wrong.length === 0 ? [] : [`it asks for the usages ${wrong.join(', ')}`]),
  ];
}

function canonical(san: string): string {
  const [, kind = '', value = ''] = /^([a-z]+):(.*)$/.exec(san) ?? [];
  return kind === 'ip' ? `ip:${canonicalIp(value) ?? value}` : `${kind}:${value.toLowerCase()}`;
}
