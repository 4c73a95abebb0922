import { createHash } from 'node:crypto';
import tar from 'tar-stream';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Frame, parseFrames } from './records.js';
import type { FileState, ReadRequest, ReadResult, UnitState } from './types.js';

const TYPES: Readonly<Record<string, FileState['type']>> = { f: 'file', d: 'directory', l: 'symlink' };

/** The answer of the read script as values. Errors: REMOTE_COMMAND for a garbled answer, PREFLIGHT for missing tools. */
export async function parseReadAnswer(bytes: Buffer, request: ReadRequest): Promise<ReadResult> {
  const files = new Map<string, FileState>();
  const units = new Map<string, UnitState>();
  const probes = new Map<string, { code: number; stdout: string }>();
  const probeNames = Object.keys(request.probes ?? {});
  const missing: string[] = [];

  for (const path of [...(request.files ?? []), ...(request.stats ?? [])]) {
    files.set(path, { path, type: 'missing', mode: 0, owner: '', size: 0, mtime: '' });
  }
  for (const unit of request.units ?? []) {
    units.set(unit, { unit, load: 'not-found', active: 'inactive', sub: 'dead', enabled: '' });
  }
  for (const frame of parseFrames(bytes)) {
    if (frame.kind === 'm') missing.push(frame.head);
    else if (frame.kind === 's') readStat(frame, files);
    else if (frame.kind === 'd') readDigest(frame, files);
    else if (frame.kind === 'P') {
      const [index, code] = frame.head.split(' ').map(Number);
      const name = probeNames[index ?? -1];
      if (name !== undefined) probes.set(name, { code: code ?? -1, stdout: frame.payload.toString('utf8') });
    } else if (frame.kind === 'U') readUnits(frame.payload.toString('utf8'), request.units ?? [], units);
    else if (frame.kind === 'T') await readContents(frame.payload, files);
  }
  if (missing.length > 0) {
    throw new KeelsonError('PREFLIGHT', `the host lacks ${missing.join(', ')}`, {
      hint: 'install findutils, tar and coreutils (GNU) there',
    });
  }
  return { files, units, probes };
}

function readStat(frame: Frame, files: Map<string, FileState>): void {
  const match = /^(\S) ([0-7]+) (\S+) (\d+) (\S+) ([\s\S]+)$/.exec(frame.head);
  if (match === null) return;
  const [, type = '', mode = '', owner = '', size = '', mtime = '', path = ''] = match;
  files.set(path, {
    path,
    type: TYPES[type] ?? 'other',
    mode: Number.parseInt(mode, 8),
    owner,
    size: Number(size),
    mtime,
  });
}

function readDigest(frame: Frame, files: Map<string, FileState>): void {
  const state = files.get(frame.head.slice(66));
  if (state !== undefined) state.sha256 = frame.head.slice(0, 64);
}

function readUnits(text: string, asked: readonly string[], units: Map<string, UnitState>): void {
  for (const [index, block] of text.split('\n\n').entries()) {
    const unit = asked[index];
    // Nothing is said where systemctl is there, but systemd does not run.
    if (unit === undefined || !block.includes('LoadState=')) return;
    const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(block)?.[1] ?? '';
    units.set(unit, {
      unit,
      load: value('LoadState'),
      active: value('ActiveState'),
      sub: value('SubState'),
      enabled: value('UnitFileState'),
    });
  }
}

async function readContents(archive: Buffer, files: Map<string, FileState>): Promise<void> {
  const extract = tar.extract();
  extract.end(archive);
  try {
    for await (const entry of extract) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      const state = files.get(entry.header.name);
      if (state === undefined) continue;
      state.content = Buffer.concat(chunks);
      // Of the bytes that came: a file that changed after `find` looked is described as it was read.
      state.size = state.content.length;
      state.sha256 = createHash('sha256').update(state.content).digest('hex');
    }
  } catch (error) {
    throw new KeelsonError('REMOTE_COMMAND', "the host's answer is cut off", { cause: error });
  }
}
