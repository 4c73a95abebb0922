import { nearest } from '../suggest.js';
import type { Arg, ClusterConfig, ComponentConfig } from '../types.js';
import type { KnownOptions } from './known-options.js';
import { V1_34 } from './v1.34.js';
import { V1_35 } from './v1.35.js';
import { V1_36 } from './v1.36.js';

const KNOWN: Readonly<Record<string, KnownOptions>> = { 'v1.34': V1_34, 'v1.35': V1_35, 'v1.36': V1_36 };

/** Something in a configuration that a version does not take. */
export interface UnknownOption {
  kind: 'flag' | 'gate';
  /** Where it stands: `apiServer.extraArgs`, `KubeletConfiguration`. */
  place: string;
  /** One sentence without a full stop. */
  message: string;
  remedy: string;
}

/** What is known of a version such as `v1.36.3`; null where nothing is. */
export function knownOptions(kubernetesVersion: string): KnownOptions | null {
  return KNOWN[/^v\d+\.\d+/.exec(kubernetesVersion)?.[0] ?? ''] ?? null;
}

interface Arguments {
  program: string;
  place: string;
  args: readonly Arg[];
}

function argumentsOf({ cluster, hosts }: ClusterConfig): Arguments[] {
  const etcd = cluster.etcd.local ?? cluster.etcd.members;
  return [
    { program: 'kube-apiserver', place: 'apiServer.extraArgs', args: cluster.apiServer.extraArgs ?? [] },
    {
      program: 'kube-controller-manager',
      place: 'controllerManager.extraArgs',
      args: cluster.controllerManager.extraArgs ?? [],
    },
    { program: 'kube-scheduler', place: 'scheduler.extraArgs', args: cluster.scheduler.extraArgs ?? [] },
    { program: 'etcd', place: 'etcd.local.extraArgs', args: etcd?.extraArgs ?? [] },
    ...hosts
      .filter((host) => host.state === 'present')
      .map(({ name, nodeRegistration }) => ({
        program: 'kubelet',
        place: `nodeRegistration.kubeletExtraArgs of ${name}`,
        args: nodeRegistration.kubeletExtraArgs ?? [],
      })),
  ];
}

/**
 * Flags and feature gates of a configuration with which components of its Kubernetes version would not start.
 * Pure. [] also for versions of which nothing is known: see `knownOptions`.
 */
export function unknownOptions(config: ClusterConfig): UnknownOption[] {
  const version = config.cluster.kubernetesVersion;
  const known = knownOptions(version);
  if (known === null) return [];
  const parts = argumentsOf(config);
  return [
    ...parts.flatMap((part) => unknownFlags(part, known, version)),
    ...parts
      .filter(({ program }) => program !== 'etcd')
      .flatMap(({ place, args }) =>
        args
          .filter(({ name }) => name === 'feature-gates')
          .flatMap(({ value }) => wrongGates(gatesIn(value), place, known, version)),
      ),
    ...[config.kubelet, config.kubeProxy].flatMap((document) =>
      wrongGates(gatesOf(document), document.kind, known, version),
    ),
  ];
}

function unknownFlags({ program, place, args }: Arguments, known: KnownOptions, version: string) {
  const flags = known.flags[program] ?? [];
  return args
    .filter(({ name }) => !flags.includes(name))
    .map(({ name }): UnknownOption => {
      const instead = nearest(name, flags);
      return {
        kind: 'flag',
        place,
        message: `${program} ${program === 'etcd' ? `of ${version}` : version} has no flag --${name}`,
        remedy: `take it out of ${place}${instead === undefined ? '' : `, or write ${instead}`}`,
      };
    });
}

type Gates = ReadonlyMap<string, boolean>;

/** `A=true,B=false` as a map. */
function gatesIn(text: string): Gates {
  const pairs = text.split(',').map((pair) => pair.trim().split('='));
  return new Map(pairs.filter(([name]) => name !== '').map(([name = '', value]) => [name, value === 'true']));
}

function gatesOf(document: ComponentConfig): Gates {
  const gates = document.featureGates;
  if (typeof gates !== 'object' || gates === null) return new Map();
  return new Map(Object.entries(gates).map(([name, value]) => [name, value === true]));
}

function wrongGates(gates: Gates, place: string, known: KnownOptions, version: string): UnknownOption[] {
  return [...gates].flatMap(([name, value]): UnknownOption[] => {
    const entry = known.gates.find((gate) => gate.replace(/=.*/, '') === name);
    if (entry === undefined) {
      const message = `Kubernetes ${version} has no feature gate ${name}`;
      return [{ kind: 'gate', place, message, remedy: `take it out of ${place}` }];
    }
    const [, locked] = entry.split('=');
    if (locked === undefined || locked === String(value)) return [];
    const message = `in Kubernetes ${version} the feature gate ${name} is always ${locked}`;
    return [{ kind: 'gate', place, message, remedy: `take it out of ${place}` }];
  });
}
