import { KeelsonError } from '../errors/keelson-error.js';

/** `s3://bucket/prefix/`: everything below a prefix of a bucket, or one object. */
export interface S3Location {
  bucket: string;
  /** '' or what names begin with, without a leading slash. */
  key: string;
}

const SCHEME = 's3://';
/** docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export const isS3 = (text: string): boolean => text.startsWith(SCHEME);

/** @throws USAGE for what names no bucket */
export function parseS3Location(text: string): S3Location {
  const [bucket = '', ...rest] = text.slice(SCHEME.length).split('/');
  if (isS3(text) && BUCKET.test(bucket)) return { bucket, key: rest.join('/') };
  throw new KeelsonError('USAGE', `"${text}" names no bucket`, {
    hint: 'write s3://BUCKET/PREFIX; a bucket has 3 to 63 lower-case letters, digits, dots and hyphens',
  });
}

/** The same as a folder: its key is '' or ends with a slash. */
export function s3Folder({ bucket, key }: S3Location): S3Location {
  return { bucket, key: key === '' || key.endsWith('/') ? key : `${key}/` };
}

export const s3Text = ({ bucket, key }: S3Location): string => `${SCHEME}${bucket}/${key}`;
