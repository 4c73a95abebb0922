import { describe, expect, it } from 'vitest';
import { environmentCredentials, fileCredentials } from '../../../src/s3/credentials.js';
import { parseS3Location, s3Folder, s3Text } from '../../../src/s3/location.js';

const FILE = `# comment
[default]
aws_access_key_id = ID
aws_secret_access_key=a=b/c+d

[profile backup]
aws_access_key_id = ID2
aws_secret_access_key = S2
aws_session_token = T2
[half]
aws_access_key_id = ID3
`;

describe('credentials of S3', () => {
  it('are those of the environment, or none', () => {
    expect(environmentCredentials({})).toBeNull();
    const both = { AWS_ACCESS_KEY_ID: 'i', AWS_SECRET_ACCESS_KEY: 's' };
    expect(environmentCredentials(both)).toEqual({ accessKeyId: 'i', secretAccessKey: 's' });
    expect(environmentCredentials({ ...both, AWS_SESSION_TOKEN: 't' })?.sessionToken).toBe('t');
    expect(() => environmentCredentials({ AWS_ACCESS_KEY_ID: 'i' })).toThrow(
      'AWS_SECRET_ACCESS_KEY is not set',
    );
  });

  it('are those of a profile in a file', () => {
    expect(fileCredentials(FILE, 'default', 'f')).toEqual({ accessKeyId: 'ID', secretAccessKey: 'a=b/c+d' });
    expect(fileCredentials(FILE, 'backup', 'f')).toMatchObject({ accessKeyId: 'ID2', sessionToken: 'T2' });
    expect(() => fileCredentials(FILE, 'half', 'f')).toThrow('profile half of f lacks aws_secret_access_key');
    expect(() => fileCredentials(FILE, 'other', 'f')).toThrow('f has no profile other');
  });
});

describe('an address in a bucket', () => {
  it('is bucket and key', () => {
    expect(parseS3Location('s3://my-backups/a/b.db')).toEqual({ bucket: 'my-backups', key: 'a/b.db' });
    expect(parseS3Location('s3://my-backups')).toEqual({ bucket: 'my-backups', key: '' });
    expect(s3Text(s3Folder(parseS3Location('s3://my-backups/a')))).toBe('s3://my-backups/a/');
    expect(s3Folder(parseS3Location('s3://my-backups/'))).toEqual({ bucket: 'my-backups', key: '' });
  });

  it.each(['s3://', 's3://A', 's3:///key', 's3://a_b/c'])('is not %s', (text) => {
    expect(() => parseS3Location(text)).toThrow('names no bucket');
  });
});
