import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { KeelsonError } from '../errors/keelson-error.js';
import type { SshSettings } from './settings.js';

/** What OpenSSH's client would do for a host, as far as it concerns connecting. */
export interface SshClientConfig {
  hostname?: string;
  user?: string;
  port?: number;
  identityFiles: string[];
  /** In order, `[user@]host[:port]`. */
  proxyJump: string[];
  knownHostsFiles: string[];
  /** Socket of the agent; null where the client is told to use none. */
  identityAgent?: string | null;
}

/** Parses the output of `ssh -G`: one `keyword value` a line, keywords in lower case. */
export function parseSshConfig(text: string, home: string): SshClientConfig {
  let userFiles: string[] = [];
  let globalFiles: string[] = [];
  const config: SshClientConfig = { identityFiles: [], proxyJump: [], knownHostsFiles: [] };
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space < 0) continue;
    const keyword = line.slice(0, space).toLowerCase();
    const value = line.slice(space + 1).trim();
    if (keyword === 'hostname') config.hostname = value;
    else if (keyword === 'user') config.user = value;
    else if (keyword === 'port') config.port = Number(value);
    else if (keyword === 'identityfile') config.identityFiles.push(expandHome(value, home));
    else if (keyword === 'proxyjump' && value !== 'none') config.proxyJump = value.split(',');
    else if (keyword === 'userknownhostsfile') userFiles = splitFiles(value, home);
    else if (keyword === 'globalknownhostsfile') globalFiles = splitFiles(value, home);
    else if (keyword === 'identityagent' && value !== 'SSH_AUTH_SOCK') {
      config.identityAgent = value === 'none' ? null : expandHome(value, home);
    }
  }
  // The user's first: that is where new keys are added.
  config.knownHostsFiles = [...userFiles, ...globalFiles];
  return config;
}

/** Key files that are tried where none is named. */
export const DEFAULT_IDENTITIES = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((file) =>
  join(homedir(), '.ssh', file),
);

/** What OpenSSH's client does by default, but for the user: root. */
const WITHOUT_CLIENT: SshClientConfig = {
  user: 'root',
  port: 22,
  identityFiles: DEFAULT_IDENTITIES,
  proxyJump: [],
  knownHostsFiles: [join(homedir(), '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'],
};

/**
 * Asks the OpenSSH client on this machine; where there is none, its defaults.
 * Throws CONFIG with the client's own words where it refuses its configuration.
 */
export async function readSshConfig(host: string): Promise<SshClientConfig> {
  if (host.startsWith('-')) return WITHOUT_CLIENT;
  const result = await execa('ssh', ['-G', '--', host], { reject: false, timeout: 10_000, stdin: 'ignore' });
  if (result.exitCode === 0) return parseSshConfig(result.stdout, homedir());
  if (result.exitCode === undefined) return WITHOUT_CLIENT;
  throw new KeelsonError('CONFIG', `ssh -G ${host}: ${result.stderr.trim()}`, {
    hint: 'mend the configuration of ssh, or set spec.ssh.useSshConfig: false',
  });
}

/** Settings with what they leave open taken from the client's configuration; what they state stays. */
export function withSshConfig(settings: SshSettings, client: SshClientConfig): SshSettings {
  return {
    ...settings,
    address: client.hostname ?? settings.address,
    user: settings.user === '' ? (client.user ?? '') : settings.user,
    port: settings.port === 0 ? (client.port ?? 22) : settings.port,
    jumpHosts: settings.jumpHosts.length > 0 ? settings.jumpHosts : client.proxyJump,
    knownHostsFiles: settings.knownHostsFiles.length > 0 ? settings.knownHostsFiles : client.knownHostsFiles,
  };
}

/** One hop of a ProxyJump list: `[user@]host[:port]`, IPv6 in brackets, or an `ssh://` URL. */
export function parseJumpHost(text: string): { user?: string; host: string; port?: number } | null {
  const match = /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:@[\]]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[2] ?? match?.[3];
  if (match === null || host === undefined) return null;
  const port = match[4] === undefined ? undefined : Number(match[4]);
  if (port !== undefined && (port < 1 || port > 65535)) return null;
  return {
    ...(match[1] === undefined ? {} : { user: match[1] }),
    host,
    ...(port === undefined ? {} : { port }),
  };
}

function splitFiles(value: string, home: string): string[] {
  return value
    .split(/\s+/)
    .filter((file) => file !== 'none')
    .map((file) => expandHome(file, home));
}

function expandHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path;
}
