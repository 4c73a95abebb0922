import { isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';

/** Annotation that tells one start of a static pod from another: a pod with another value is a new pod. */
const MARK_ANNOTATION = 'keelson.dev/rotation';

export interface PodMark {
  value: string;
  /** Arguments of the first container's command that get another value, without dashes; others stay. */
  arguments?: Readonly<Record<string, string>>;
}

/**
 * The manifest of a static pod with a mark, so that the kubelet starts it anew, and with other arguments.
 * @throws CONFLICT naming `path` where an argument is not there, or the text is no manifest
 */
export function markedManifest(text: string, path: string, mark: PodMark): string {
  const document = parseDocument(text);
  const command = document.getIn(['spec', 'containers', 0, 'command']);
  if (!isMap(document.contents) || !isSeq(command)) {
    throw new KeelsonError('CONFLICT', `${path} is no manifest of a static pod`, {
      hint: 'run keelson apply first',
    });
  }
  document.setIn(['metadata', 'annotations', MARK_ANNOTATION], mark.value);
  for (const [flag, value] of Object.entries(mark.arguments ?? {})) {
    const item = command.items.find(
      (word) => isScalar(word) && typeof word.value === 'string' && word.value.startsWith(`--${flag}=`),
    );
    if (!isScalar(item)) {
      throw new KeelsonError('CONFLICT', `${path} has no argument --${flag}`, {
        hint: 'run keelson apply first',
      });
    }
    item.value = `--${flag}=${value}`;
  }
  return document.toString({ lineWidth: 0, indentSeq: false });
}
