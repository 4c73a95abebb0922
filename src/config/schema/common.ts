import { isIP } from 'node:net';
import { posix } from 'node:path';
import * as z from 'zod';
import { familyOf, parseCidrs } from '../cidr.js';
import { parseGoDuration } from '../go-duration.js';

/** Says what is wrong with a value, or undefined. */
export type Check = (value: string) => string | undefined;

/** A string with a check of its content. Empty strings pass: to kubeadm they are the same as a missing field. */
export function checked(check: Check): z.ZodString {
  return z.string().check((context) => {
    const message = context.value === '' ? undefined : check(context.value);
    if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
  });
}

/** Like `checked`, and the empty string is refused. */
export function required(check: Check): z.ZodString {
  return z.string().check((context) => {
    const message = context.value === '' ? 'must not be empty' : check(context.value);
    if (message !== undefined) context.issues.push({ code: 'custom', message, input: context.value });
  });
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** RFC 1123 subdomain: what Kubernetes names nodes and domains by. */
export const isDnsName = (name: string): boolean =>
  name.length <= 253 && name.split('.').every((label) => LABEL.test(label));

export const checkDnsName: Check = (value) =>
  isDnsName(value)
    ? undefined
    : `"${value}" is no DNS name: lower case letters, digits, \`-\` and \`.\`, at most 63 characters between dots`;

export const checkAddress: Check = (value) =>
  familyOf(value) === null ? `"${value}" is no IP address` : undefined;

/** One address, or one of each family. */
export const checkAddresses: Check = (value) => {
  const addresses = value.split(',');
  const families = addresses.map(familyOf);
  const wrong = addresses.find((_, i) => families[i] === null);
  if (wrong !== undefined) return `"${wrong}" is no IP address`;
  return addresses.length > 2 || new Set(families).size < addresses.length
    ? 'either one address, or one of IPv4 and one of IPv6 for dual stack, with a comma between'
    : undefined;
};

/** What one connects to: an IP address or a name. All-numeric names are mistyped addresses. */
export const checkHostAddress: Check = (value) => {
  if (familyOf(value) !== null) return undefined;
  if (/^[\d.]+$/.test(value) || value.includes(':') || value.includes('/')) {
    return `"${value}" is no IP address; ports, prefixes and brackets do not belong to it`;
  }
  return isDnsName(value.toLowerCase()) ? undefined : `"${value}" is neither an IP address nor a host name`;
};

export const checkDuration: Check = (value) => {
  const parsed = parseGoDuration(value);
  return 'error' in parsed ? parsed.error : undefined;
};

export const checkAbsolute: Check = (value) => {
  if (!value.startsWith('/')) return `"${value}" is no absolute path`;
  if (/[\u0000-\u001f\u007f]/.test(value)) return 'a path has no control characters';
  const plain = posix.normalize(value).replace(/(?<=.)\/$/, '');
  return plain === value ? undefined : `write it as "${plain}"`;
};

/** Directories that hold more than one program's data. */
const SHARED_DIRECTORIES = [
  ...[
    '/',
    '/bin',
    '/boot',
    '/dev',
    '/etc',
    '/home',
    '/lib',
    '/lib64',
    '/opt',
    '/proc',
    '/root',
    '/run',
    '/sbin',
  ],
  ...['/srv', '/sys', '/tmp', '/usr', '/var', '/usr/bin', '/usr/lib', '/usr/local', '/var/lib', '/var/log'],
  ...['/var/run', '/etc/kubernetes', '/etc/kubernetes/pki', '/var/lib/kubelet', '/var/lib/containerd'],
];

/** A directory that is one program's alone, so that its data can be found and removed. */
export const checkOwnDirectory: Check = (value) => {
  const problem = checkAbsolute(value);
  if (problem !== undefined) return problem;
  return SHARED_DIRECTORIES.includes(value)
    ? `"${value}" is not etcd's alone; write a directory such as /var/lib/etcd`
    : undefined;
};

export const checkSubnets: Check = (value) => {
  const cidrs = parseCidrs(value);
  if (cidrs === null)
    return `"${value}" is no address range; write 10.244.0.0/16, or two with a comma between`;
  const families = new Set(cidrs.map((cidr) => cidr.family));
  if (cidrs.length > 2 || families.size < cidrs.length) {
    return 'either one range, or one of IPv4 and one of IPv6 for dual stack';
  }
  return undefined;
};

/** A certificate's alternative name: IP address, DNS name, or `*.` with a DNS name. */
const checkSan: Check = (value) =>
  isIP(value) !== 0 || isDnsName(value.replace(/^\*\./, ''))
    ? undefined
    : `"${value}" is neither an IP address nor a DNS name`;

const REPOSITORY =
  /^([a-zA-Z0-9]|\[[a-fA-F0-9:]+\])[a-zA-Z0-9.\-[\]:]*(\/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$/;

export const checkRepository: Check = (value) =>
  REPOSITORY.test(value) ? undefined : `"${value}" is no image repository; no scheme, tag or trailing slash`;

/** `host` or `host:port`; port null where none is given; null where it is neither. */
export function parseHostPort(text: string): { host: string; port: number | null } | null {
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  const host = isIP(text) === 6 ? text : (match?.[1] ?? match?.[2] ?? '');
  const port = isIP(text) === 6 || match?.[3] === undefined ? null : Number(match[3]);
  if (port !== null && (port < 1 || port > 65535)) return null;
  if (familyOf(host) === null && (/^[\d.]+$/.test(host) || !isDnsName(host))) return null;
  return { host, port };
}

export const checkHostPort: Check = (value) =>
  parseHostPort(value) === null ? `"${value}" is no endpoint; write host:port, or [IPv6]:port` : undefined;

export const checkToken: Check = (value) =>
  /^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(value)
    ? undefined
    : 'no bootstrap token: six characters, a dot and sixteen characters of a-z and 0-9';

const QUALIFIED_PART = /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;

/** Key of a label or taint: an optional DNS prefix with slash, and a name. */
function isQualifiedName(key: string): boolean {
  const parts = key.split('/');
  const name = parts.pop() ?? '';
  return QUALIFIED_PART.test(name) && parts.length <= 1 && parts.every(isDnsName);
}

/** Value of a label or taint: empty, or at most 63 characters. */
const isLabelValue = (value: string): boolean => value === '' || QUALIFIED_PART.test(value);

export const checkQualifiedName: Check = (value) =>
  isQualifiedName(value) ? undefined : `"${value}" is no label key; write name or prefix.example.com/name`;

export const checkLabelValue: Check = (value) =>
  isLabelValue(value)
    ? undefined
    : `"${value}" is no label value: at most 63 letters, digits, \`-\`, \`_\` and \`.\``;

export const port = (description: string) => z.int().min(1).max(65535).describe(description);
export const duration = (description: string) =>
  checked(checkDuration).describe(`${description} Go duration, such as 4m0s.`);
export const names = (description: string) => z.array(z.string()).describe(description);
export const sans = (description: string) => z.array(required(checkSan)).describe(description);
