import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildComponent, type Component, cachedComponent, digestOf } from '../../../src/bundle/cache.js';
import { buildAll, cachedKubeadm } from '../../../src/bundle/components.js';
import type { BundleEvent } from '../../../src/bundle/events.js';
import { scratch } from './fixture.js';

function component(name: string, inputs: string[], build?: Component['build']): Component {
  return {
    name,
    version: 'v1',
    module: 'example.test/m',
    sum: '',
    estimateSeconds: 5,
    inputs,
    build: build ?? ((into) => writeFile(join(into, name), inputs.join())),
  };
}

const quiet = () => undefined;

test('what was built is found again by equal inputs, and not by others', async () => {
  const cache = await scratch();
  const built = await buildComponent(cache, component('a', ['x']), quiet, undefined);
  expect(await cachedComponent(cache, component('a', ['x']))).toEqual(built);
  expect(await cachedComponent(cache, component('a', ['y']))).toBeNull();
});

test('a build that fails leaves nothing behind', async () => {
  const cache = await scratch();
  const failing = component('a', ['x'], async (into) => {
    await writeFile(join(into, 'half'), 'half');
    throw new Error('stopped');
  });
  await expect(buildComponent(cache, failing, quiet, undefined)).rejects.toThrow('stopped');
  expect(await readdir(join(cache, 'components'))).toEqual([]);
});

test('leftovers of a process that was killed are removed by the next build', async () => {
  const cache = await scratch();
  // Above the kernel's largest process id.
  await mkdir(join(cache, 'components', '.tmp-99999999-1'), { recursive: true });
  await buildComponent(cache, component('a', ['x']), quiet, undefined);
  expect((await readdir(join(cache, 'components'))).filter((name) => name.startsWith('.tmp'))).toEqual([]);
});

test('a truncated output counts as not built', async () => {
  const cache = await scratch();
  const built = await buildComponent(cache, component('a', ['content']), quiet, undefined);
  await truncate(built.outputs.get('a')?.file ?? '', 2);
  expect(await cachedComponent(cache, component('a', ['content']))).toBeNull();
});

test('an interrupted build goes on after the components that were done', async () => {
  const cache = await scratch();
  const stop = new AbortController();
  const second = component('b', ['2'], async (into) => {
    if (!stop.signal.aborted) {
      stop.abort();
      stop.signal.throwIfAborted();
    }
    await writeFile(join(into, 'b'), 'b');
  });
  const components = [component('a', ['1']), second];
  await expect(buildAll(cache, components, quiet, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  const events: BundleEvent[] = [];
  await buildAll(cache, components, (event) => events.push(event));
  expect(events.map((event) => (event.kind === 'component' ? `${event.name} ${event.state}` : ''))).toEqual([
    'a cached',
    'b started',
    'b finished',
  ]);
  expect(events[1]).toMatchObject({ estimateSeconds: 5, remainingSeconds: 5 });
});

test('a kubeadm of any build of that version is found', async () => {
  const cache = await scratch();
  expect(await cachedKubeadm(cache, 'v1.35.4')).toBeNull();
  await mkdir(join(cache, 'components', 'kubeadm-v1.35.4-0123'), { recursive: true });
  await mkdir(join(cache, 'components', 'cni-plugins-v1.36.3-0123'), { recursive: true });
  expect(await cachedKubeadm(cache, 'v1.35.4')).toBe(
    join(cache, 'components', 'kubeadm-v1.35.4-0123', 'kubeadm'),
  );
  expect(await cachedKubeadm(cache, 'v1.36.3')).toBeNull();
});

test('the boundaries of inputs count', () => {
  expect(digestOf(['ab', 'c'])).not.toBe(digestOf(['a', 'bc']));
});
