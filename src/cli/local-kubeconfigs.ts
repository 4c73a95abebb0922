import { delimiter, dirname, join, resolve } from 'node:path';
import type { CliIO } from './command.js';

/** Kubeconfigs of the operator's: where kubectl looks, and what `lab up` writes beside the cluster file. */
export function localKubeconfigs(file: string, io: CliIO): string[] {
  const named = (io.env.KUBECONFIG ?? '').split(delimiter).filter((part) => part !== '');
  return [
    join(dirname(resolve(io.cwd, file)), 'kubeconfig'),
    ...named.map((part) => resolve(io.cwd, part)),
    join(io.home, '.kube', 'config'),
  ];
}
