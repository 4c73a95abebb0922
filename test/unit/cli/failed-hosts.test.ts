import { expect, test } from 'vitest';
import type { CliIO } from '../../../src/cli/command.js';
import { failedBefore, rememberFailed } from '../../../src/cli/failed-hosts.js';
import { CLUSTER, KUBEADM, parse, stream } from '../config/support.js';
import { scratch } from './run.js';

test('hosts that a run left out are known to the next one, until a run leaves none out', async () => {
  const io = { env: { XDG_CACHE_HOME: await scratch() }, home: '/nowhere' } as unknown as CliIO;
  const config = parse(stream(CLUSTER, KUBEADM));
  await expect(failedBefore(config, io)).rejects.toMatchObject({ code: 'USAGE' });
  await rememberFailed(['w1', 'gone-from-the-file'], config, io);
  expect(await failedBefore(config, io)).toEqual(['w1']);
  await rememberFailed([], config, io);
  await expect(failedBefore(config, io)).rejects.toMatchObject({ code: 'USAGE' });
});
