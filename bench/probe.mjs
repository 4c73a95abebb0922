// Loaded into keelson's process by --import. When it ends, writes to the file that KEELSON_BENCH_PROBE names: peak
// memory, commands and forwarded channels by the address of the host, requests to the Kubernetes API.
import diagnostics from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import ssh2 from 'ssh2';

const { prototype } = ssh2.Client;
const counts = { commands: {}, channels: {}, apiRequests: 0 };

function count(method, counter) {
  const original = prototype[method];
  prototype[method] = function counted(...args) {
    const address = this._sock?.remoteAddress ?? 'unknown';
    counter[address] = (counter[address] ?? 0) + 1;
    return original.apply(this, args);
  };
}
count('exec', counts.commands);
count('forwardOut', counts.channels);
diagnostics.subscribe('undici:request:create', () => {
  counts.apiRequests += 1;
});

process.once('exit', () => {
  const peakMB = Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
  writeFileSync(process.env.KEELSON_BENCH_PROBE, JSON.stringify({ peakMB, ...counts }));
});
