// Results as tables, and the tables in docs/benchmarks.md.
import { readFile, writeFile } from 'node:fs/promises';

const BEGIN = '<!-- results: written by npm run bench -->';
const END = '<!-- end of results -->';

const NAMES = {
  provisioned: 'binaries and images on all nodes',
  api: 'API server ready',
  joined: 'all nodes joined',
  ready: 'all nodes Ready',
  dns: 'CoreDNS answers',
  done: '**both: the cluster is there**',
  returned: 'the command returns',
};

const seconds = ({ median, min, max }) =>
  `${(median / 1000).toFixed(1)} s (${(min / 1000).toFixed(1)}–${(max / 1000).toFixed(1)})`;
const plain = ({ median, min, max }, unit) => `${median} ${unit} (${min}–${max})`;
const row = (...cells) => `| ${cells.join(' | ')} |`;

function installation({
  at,
  machine,
  controlPlanes = 1,
  workers,
  pairs,
  keelson,
  kubeadm,
  ratio,
  loadBefore,
}) {
  return [
    `**A cluster of ${controlPlanes} control ${controlPlanes === 1 ? 'plane' : 'planes'} and ${workers} workers**, pairs of runs: ${pairs}; median (least–greatest). Measured ${at} on ${machine}; load before the runs ${loadBefore.min}–${loadBefore.max}.`,
    '',
    row('', 'keelson', 'kubeadm script'),
    row('---', '---', '---'),
    ...Object.entries(NAMES).map(([key, name]) => row(name, seconds(keelson[key]), seconds(kubeadm[key]))),
    row('**keelson ÷ kubeadm**, pair by pair', `**${ratio.median}** (${ratio.min}–${ratio.max})`, '1'),
  ];
}

function costs({ plan, apply, start }) {
  const rows = [];
  if (plan !== undefined) {
    rows.push(
      row(
        '`plan` on the unchanged cluster',
        `${seconds(plan.ms)}${plan.changes ? ', **not empty**' : ''}`,
        '3 s',
      ),
      row('commands over SSH in it, on the control plane (the first two at once)', plan.commandsPerHost, '3'),
      row('requests to the Kubernetes API in it', plan.apiRequests, ''),
      row('peak memory of `plan`', plain(plan.peakMB, 'MB'), '200 MB'),
    );
  }
  if (apply !== undefined) rows.push(row('peak memory of `apply`', plain(apply.peakMB, 'MB'), '200 MB'));
  if (start !== undefined) {
    rows.push(
      row('`keelson --version`', plain(start.versionMs, 'ms'), '150 ms'),
      row('`node -e 0`, for comparison', plain(start.nodeMs, 'ms'), ''),
    );
  }
  return [row('', 'median (least–greatest)', 'at most'), row('---', '---', '---'), ...rows];
}

/** All results as markdown. */
export function tables(results) {
  const { installation: small, severalControlPlanes: large } = results;
  const parts = [small, large].flatMap((measured) =>
    measured === undefined ? [] : [...installation(measured), ''],
  );
  const rest = costs(results);
  return [...parts, ...(rest.length > 2 ? [...rest, ''] : [])].join('\n');
}

/** Puts the tables between the markers of a markdown file. */
export async function updateDocument(file, results) {
  const text = await readFile(file, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file}: the markers of the results are missing`);
  await writeFile(file, `${text.slice(0, begin)}${BEGIN}\n\n${tables(results)}\n${text.slice(end)}`);
}
