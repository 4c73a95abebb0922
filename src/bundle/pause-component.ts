import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Component } from './cache.js';
import { GO_ENVIRONMENT, moduleFolder, sumOf, type Toolchain } from './go-component.js';
import { run } from './run.js';

/** pause is the one C program: build/pause/linux/pause.c of the Kubernetes module, flags of its own Makefile. */
export async function pauseComponent(
  kubernetesVersion: string,
  pauseVersion: string,
  toolchain: Toolchain,
  modulesDir: string,
): Promise<Component> {
  const folder = moduleFolder(modulesDir, { name: 'kubernetes', version: kubernetesVersion });
  const module = 'k8s.io/kubernetes';
  const sum = sumOf(await readFile(join(folder, 'go.sum'), 'utf8'), module);
  const flags = ['-Os', '-Wall', '-static', '-s', '-Wl,--build-id=none', `-DVERSION=v${pauseVersion}`];
  return {
    name: 'pause',
    version: pauseVersion,
    module,
    sum,
    estimateSeconds: 2,
    inputs: [sum, toolchain.gcc, ...flags],
    async build(into, _progress, signal) {
      const listed = await run(toolchain.goProgram, ['mod', 'download', '-json', module], {
        cwd: folder,
        env: GO_ENVIRONMENT,
        signal,
      });
      const { Dir } = JSON.parse(listed) as { Dir: string };
      // Compiled under a relative name, so that no path of this machine gets in.
      await copyFile(join(Dir, 'build/pause/linux/pause.c'), join(into, 'pause.c'));
      await run('gcc', [...flags, '-o', 'pause', 'pause.c'], { cwd: into, signal });
      await rm(join(into, 'pause.c'));
    },
  };
}
