import { execa } from 'execa';
import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { LAB_OPTIONS } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab ssh',
  summary: 'a shell or a command on a lab machine',
  details:
    'Everything after -- is the command: keelson lab ssh cp1 -- crictl ps. One word in quotes is a line for the shell there: -- "crictl ps | wc -l". Its exit code is keelson’s.',
  arguments: '<node> [command...]',
  options: LAB_OPTIONS,
  run: async ({ args, options, io }) => {
    const [node = '', ...rest] = args;
    const lab = labRef(io, options.name);
    const driver = await labDriver(io, lab);
    const [program = 'ssh', ...argv] = await driver.sshCommand(lab, node, rest);
    const result = await execa(program, argv, { stdio: 'inherit', reject: false });
    return { data: { exitCode: result.exitCode ?? 255 }, text: '', exitCode: result.exitCode ?? 255 };
  },
});
