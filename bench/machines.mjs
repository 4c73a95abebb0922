// Fresh lab machines: control planes and workers, without a cluster.
import { join } from 'node:path';
import { $ } from 'zx';
import { CLI } from './dist.mjs';

/** A lab of this name, kept below `directory`. */
export function lab({ name, directory, controlPlanes, workers }) {
  const shell = $({ cwd: directory, quiet: true });
  const clusterDirectory = join(directory, '.keelson', 'lab', name);
  const down = () => shell`node ${CLI} lab down --name ${name}`;
  return {
    directory: clusterDirectory,
    clusterFile: join(clusterDirectory, 'cluster.yaml'),
    down,
    /** The old machines gone and new ones booted, with nothing left to be written to the disk. */
    fresh: async () => {
      await down();
      const counts = ['--control-planes', controlPlanes, '--workers', workers];
      const up = await shell`node ${CLI} lab up --no-cluster --name ${name} ${counts} -o json`;
      await shell`rm -f ${join(clusterDirectory, 'kubeconfig')}`;
      await shell`sync`;
      return JSON.parse(up.stdout).nodes;
    },
  };
}
