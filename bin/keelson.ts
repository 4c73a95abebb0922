#!/usr/bin/env node
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { main } from '../src/cli/main.js';

// WebAssembly here parses HTTP of small answers: code that is optimised for it costs 35 MB while it is made.
setFlagsFromString('--liftoff-only');

process.exitCode = await main(process.argv.slice(2), process);
