import { createHash } from 'node:crypto';
import type { Role } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

// Every trace of a lab carries a name made here, so that a lab can be found and removed without its state.

const LAB_NAME = /^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/;
const NODE_NAME = /^(cp|w|etcd)([1-9]\d?)$/;
const PREFIXES: Readonly<Record<Role, string>> = { 'control-plane': 'cp', worker: 'w', etcd: 'etcd' };
const ROLES = Object.keys(PREFIXES) as Role[];

/** Throws USAGE unless `name` can be part of host names, paths and control groups. */
export function assertLabName(name: string): void {
  if (LAB_NAME.test(name)) return;
  throw new KeelsonError('USAGE', `'${name}' is no name for a lab`, {
    hint: 'use up to 30 lower-case letters, digits and dashes, beginning with a letter',
  });
}

/** Role and number (from 1) of a node by its name, or null where the name is none. */
export function parseNodeName(name: string): { role: Role; index: number } | null {
  const match = NODE_NAME.exec(name);
  const role = ROLES.find((candidate) => PREFIXES[candidate] === match?.[1]);
  return role === undefined ? null : { role, index: Number(match?.[2]) };
}

/** `cp1`…, `w1`… or `etcd1`…; `index` counts from 1. */
export function nodeName(role: Role, index: number): string {
  return `${PREFIXES[role]}${index}`;
}

/**
 * Three characters for interface names, which hold 15 in all: the lab's name where it fits, else a hash of
 * it. Two labs can share one; `labUp` refuses the second.
 */
export function labTag(lab: string): string {
  if (lab.length <= 3) return lab;
  const digest = createHash('sha256').update(lab).digest().readUInt32BE(0);
  return (digest % 36 ** 3).toString(36).padStart(3, '0');
}

/** `keelson-lab` */
export function bridgeName(lab: string): string {
  return `keelson-${labTag(lab)}`;
}

/** The host's end of a node's cable: `keelson-lab-cp1`, at most 15 characters, so that etcd1 is `e1`. */
export function cableName(lab: string, node: string): string {
  return `keelson-${labTag(lab)}-${node.replace(/^etcd/, 'e')}`;
}

/** systemd-nspawn's machine name, unique on this computer. */
export function machineName(lab: string, node: string): string {
  return `keelson-${lab}-${node}`;
}

/** The lab and node of a machine name, or null. */
export function parseMachineName(machine: string): { lab: string; node: string } | null {
  const match = /^keelson-(.+)-((?:cp|w|etcd)[1-9]\d?)$/.exec(machine);
  if (match?.[1] === undefined || match[2] === undefined) return null;
  return { lab: match[1], node: match[2] };
}

/** Path of a lab's control groups below every controller's mount point. */
export function labCgroup(lab: string): string {
  return `keelson-${lab}`;
}

/** Whether an interface is the lab's bridge or one of its cables. */
export function isLabInterface(lab: string, name: string): boolean {
  const bridge = bridgeName(lab);
  if (name === bridge) return true;
  return name.startsWith(`${bridge}-`) && /^(cp|w|e)[1-9]\d?$/.test(name.slice(bridge.length + 1));
}
