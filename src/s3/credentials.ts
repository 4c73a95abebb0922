import { KeelsonError } from '../errors/keelson-error.js';
import type { S3Credentials } from './sign.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Credentials as the environment has them for every client of S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
 * AWS_SESSION_TOKEN. null where it has none. @throws CONFIG for one half of them
 */
export function environmentCredentials(env: Environment): S3Credentials | null {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (!id && !secret) return null;
  if (!id || !secret) {
    throw new KeelsonError('CONFIG', `${id ? 'AWS_SECRET_ACCESS_KEY' : 'AWS_ACCESS_KEY_ID'} is not set`, {
      hint: 'set both, or neither of them and have a credentials file',
    });
  }
  return credentialsOf(id, secret, token);
}

const credentialsOf = (id: string, secret: string, token: string | undefined): S3Credentials => ({
  accessKeyId: id,
  secretAccessKey: secret,
  ...(token ? { sessionToken: token } : {}),
});

/**
 * Credentials of a file as ~/.aws/credentials: sections `[profile]` with `name = value`. Pure.
 * @param file for errors
 * @throws CONFIG where the profile is not in it, or not whole
 */
export function fileCredentials(text: string, profile: string, file: string): S3Credentials {
  const sections = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) {
      current = sections.get(section) ?? new Map();
      sections.set(section, current);
      continue;
    }
    const [, name, value] = /^\s*([^#;=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) current?.set(name.toLowerCase(), value);
  }
  const found = sections.get(profile);
  const id = found?.get('aws_access_key_id');
  const secret = found?.get('aws_secret_access_key');
  if (!id || !secret) {
    const has = [...sections.keys()];
    throw new KeelsonError(
      'CONFIG',
      found === undefined
        ? `${file} has no profile ${profile}`
        : `profile ${profile} of ${file} lacks ${id ? 'aws_secret_access_key' : 'aws_access_key_id'}`,
      {
        hint:
          has.length === 0 ? 'begin it with [default]' : `it has ${has.join(', ')}; AWS_PROFILE names one`,
      },
    );
  }
  return credentialsOf(id, secret, found?.get('aws_session_token'));
}
