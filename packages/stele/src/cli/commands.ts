/**
 * The table of commands: everything the tool can do, with its arguments, options and examples. Help is made from it; a test runs the examples
 * of docs/cli.md, which has a section for each.
 *
 * Handlers are loaded when they are called, so that a command costs what it needs.
 */

import type { ArgumentSpec, Command, OptionSpec } from './command.ts';

const DATA = 'data';
const PAST = 'the past';
const COPIES = 'in and out';
const CARE = 'care';
const TOOLS = 'tools';

const PATH: ArgumentSpec = { name: 'path', text: "segments with / between them: users/ada, orders/#42, flags/#true; '' is all" };
const PREFIX: ArgumentSpec = { name: 'prefix', text: 'what to look below; default everything', isOptional: true };
const LIMIT: OptionSpec = { value: 'n', text: 'at most so many' };
const REVERSE: OptionSpec = { text: 'from the end' };
const RANGE: Readonly<Record<string, OptionSpec>> = {
  start: { value: 'path', text: 'from here on, relative to PREFIX' },
  end: { value: 'path', text: 'up to here, itself not included' },
};
const WHO: Readonly<Record<string, OptionSpec>> = {
  actor: { value: 'name', text: 'who does it; kept in the commit' },
  reason: { value: 'text', text: 'why; kept in the commit' },
  asserted: { value: 'when', text: 'when it happened, as the caller says; found by as-of asserted:WHEN' },
  once: { value: 'key', text: 'idempotency key: a repeat writes nothing' },
};

export const COMMANDS: readonly Command[] = [
  {
    name: 'get',
    group: DATA,
    summary: 'print the value at a path',
    arguments: [PATH],
    options: {
      raw: { text: 'text and bytes as they are, without quotes and line break' },
      entry: { text: 'with version and expiry' },
    },
    details: 'Exit code 1 when nothing is there.',
    examples: [
      { line: 'stele get users/ada', text: 'as JSON; in colour and indented on a terminal' },
      { line: 'stele get files/logo.png --raw > logo.png', text: 'bytes as they are' },
    ],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/read.ts')).get,
  },
  {
    name: 'put',
    group: DATA,
    summary: 'write a value at a path, as one commit',
    arguments: [PATH, { name: 'value', text: 'JSON, or - for the standard input', isOptional: true }],
    options: {
      text: { text: 'VALUE is text as it stands' },
      bytes: { text: 'what is read are bytes' },
      file: { value: 'file', text: 'read the value from a file' },
      tree: { text: 'spread an object over the paths below, and replace what was there' },
      merge: { text: 'as --tree, and keep what the object does not name' },
      ttl: { value: 'time', text: 'how long it lives: 90s, 2h, 30d' },
      'expires-at': { value: 'when', text: 'when it ends' },
      'if-version': { value: 'n', text: 'only when the entry has this version; 0: only when there is none' },
      worm: { text: 'write once; refused until that feature is here' },
      ...WHO,
    },
    details: 'Makes the database when there is none. Bytes, dates and bigints in JSON: {"$bytes":"…"}, {"$date":"…"}, {"$bigint":"…"}.',
    examples: [
      { line: `stele put users/ada '{"name":"Ada","born":1815}'`, text: 'an object' },
      { line: 'stele put motd --text "good morning"', text: 'text' },
      { line: 'stele put jobs/#7 --file job.json --if-version 0 --actor eve', text: 'from a file, only when it is new' },
    ],
    access: 'create',
    load: async () => (await import('./commands/write.ts')).put,
  },
  {
    name: 'delete',
    group: DATA,
    summary: 'delete what is at a path, as one commit',
    arguments: [{ ...PATH, isRest: true }],
    options: {
      tree: { text: 'and everything below' },
      'if-version': { value: 'n', text: 'only when the entry has this version' },
      ...WHO,
    },
    details: 'What was there can still be read in the past. Exit code 1 when nothing was there.',
    examples: [
      { line: 'stele delete users/ada', text: 'one entry' },
      { line: 'stele delete --tree users/ada sessions/ada', text: 'two subtrees in one commit' },
    ],
    access: 'write',
    load: async () => (await import('./commands/write.ts')).remove,
  },
  {
    name: 'children',
    group: DATA,
    summary: 'list what is directly below a path, with counts',
    arguments: [{ ...PATH, isOptional: true }],
    options: { after: { value: 'name', text: 'begin behind this child' }, limit: LIMIT, reverse: REVERSE },
    examples: [
      { line: 'stele children', text: 'the top level' },
      { line: 'stele children users --limit 10', text: 'the first ten' },
    ],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/read.ts')).children,
  },
  {
    name: 'tree',
    group: DATA,
    summary: 'draw a subtree; in a pipe one nested JSON object',
    arguments: [{ ...PATH, isOptional: true }],
    options: { depth: { value: 'n', text: 'levels; what is deeper is counted' }, limit: { value: 'n', text: 'values at most' } },
    examples: [
      { line: 'stele tree users --depth 2', text: 'two levels' },
      { line: 'stele tree config --mode json > config.json', text: 'the subtree as one document' },
    ],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/read.ts')).tree,
  },
  {
    name: 'scan',
    group: DATA,
    summary: 'list the entries at and below a prefix, in order',
    arguments: [PREFIX],
    options: {
      ...RANGE,
      after: { value: 'path', text: 'go on behind this path, in the direction of the scan' },
      limit: LIMIT,
      reverse: REVERSE,
      keys: { text: 'paths only; no value is read' },
    },
    examples: [
      { line: 'stele scan users --limit 20', text: 'the first twenty' },
      { line: 'stele scan orders --reverse --limit 1', text: 'the last one' },
      { line: `stele scan users | jq -r '.value.name'`, text: 'one JSON object a line' },
    ],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/read.ts')).scan,
  },
  {
    name: 'count',
    group: DATA,
    summary: 'count the entries at and below a prefix',
    arguments: [PREFIX],
    options: RANGE,
    details: 'Exact, and as fast for millions as for ten.',
    examples: [{ line: 'stele count users', text: 'how many' }],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/read.ts')).count,
  },
  {
    name: 'history',
    group: PAST,
    summary: 'list the versions of a path, newest first, with who and why',
    arguments: [PATH],
    options: { limit: LIMIT },
    examples: [{ line: 'stele history users/ada', text: 'all that is kept' }],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/past.ts')).history,
  },
  {
    name: 'as-of',
    group: PAST,
    summary: 'ask a reading command of the past',
    arguments: [
      { name: 'when', text: 'a version (42), a time in UTC (2026-11-20, 2026-11-20T10:00), how long ago (2h), or asserted:TIME' },
      { name: 'command', text: 'get, children, tree, scan, count, history or dump, with its own arguments', isRest: true },
    ],
    options: {},
    examples: [
      { line: 'stele as-of 41 get users/ada', text: 'as it was at version 41' },
      { line: 'stele as-of 2h tree config', text: 'two hours ago' },
      { line: 'stele as-of asserted:2024-01-01 scan files', text: 'by the dates that imported history has' },
    ],
    access: 'read',
    isPrefix: true,
    load: async () => {
      throw new Error('as-of has no handler of its own');
    },
  },
  {
    name: 'diff',
    group: PAST,
    summary: 'compare two points in time, path by path',
    arguments: [
      { name: 'from', text: 'a point in time, as for as-of' },
      { name: 'to', text: 'another; default now', isOptional: true },
    ],
    options: { prefix: { value: 'path', text: 'only below this path' } },
    examples: [
      { line: 'stele diff 41', text: 'from version 41 to now' },
      { line: 'stele diff 2026-11-19 2026-11-20 --prefix users', text: 'one day' },
    ],
    access: 'read',
    load: async () => (await import('./commands/past.ts')).diff,
  },
  {
    name: 'watch',
    group: PAST,
    summary: 'print commits as they come, until Ctrl-C',
    arguments: [PREFIX],
    options: {
      from: { value: 'n', text: 'begin behind this version; default: the newest' },
      every: { value: 'time', text: 'how often to look; default 200ms' },
      limit: { value: 'n', text: 'end after so many commits' },
    },
    details:
      'One process writes, or many read. So what can be watched is a database that others write to and close, such as stele put in a script; while a process holds it open, watch says so, waits, and then tells everything. Within one process use db.watch, or .watch in the shell.',
    examples: [{ line: 'stele watch jobs', text: 'what is written below jobs' }],
    access: 'own',
    load: async () => (await import('./commands/watch.ts')).watch,
  },
  {
    name: 'import',
    group: COPIES,
    summary: 'read a dump, JSON lines, or the history of a git checkout',
    arguments: [{ name: 'source', text: 'a file, a checkout, or - (default) for a dump on the standard input', isOptional: true }],
    options: {
      as: { value: 'kind', text: 'dump, jsonl, git or tasks; default: what SOURCE looks like' },
      prefix: { value: 'path', text: 'import below this path; not for dumps' },
      ref: { value: 'name', text: 'git: whose history; default HEAD' },
      at: { value: 'path', text: 'jsonl: where the objects go; default the name of the file' },
      id: { value: 'field', text: 'jsonl: the field that names an object; default: guessed' },
      time: { value: 'field', text: 'jsonl: the field with the time' },
      actor: { value: 'field', text: 'jsonl: the field with who did it' },
      reason: { value: 'field', text: 'jsonl: the field with why' },
      'skip-bad': { text: 'jsonl: leave out lines that are no objects' },
    },
    details:
      'Histories become commits, one each, with actor and asserted time. Ended in the middle, the same command goes on where it stopped.',
    examples: [
      { line: 'stele --db old dump | stele --db new import', text: 'the same entries in another database' },
      { line: 'stele --db repo import .', text: 'the history of a git checkout' },
      { line: 'stele import events.jsonl --id id --time at', text: 'one commit a line' },
    ],
    access: 'create',
    load: async () => (await import('./commands/import.ts')).importAny,
  },
  {
    name: 'dump',
    group: COPIES,
    summary: 'write everything as JSON lines',
    arguments: [],
    options: {
      history: { text: 'every commit, not only the state' },
      prefix: { value: 'path', text: 'only below this path' },
      out: { value: 'file', short: 'o', text: 'into a file, which appears when it is whole' },
    },
    details:
      'The last line has a digest of the content; import and verify tell the same one. A backup is faster and keeps versions and recorded times.',
    examples: [
      { line: 'stele dump -o today.jsonl', text: 'the state' },
      { line: 'stele dump --history | gzip > all.jsonl.gz', text: 'all commits with actors and times' },
    ],
    access: 'read',
    isOfView: true,
    load: async () => (await import('./commands/dump.ts')).dump,
  },
  {
    name: 'backup',
    group: COPIES,
    summary: 'copy the database, consistent and whole',
    arguments: [{ name: 'target', text: 'a new directory, or a file that ends with .tar' }],
    options: {
      'single-file': { text: 'one tar file, whatever TARGET is called' },
      'no-history': { text: 'the newest state only' },
    },
    examples: [
      { line: 'stele backup copies/monday', text: 'a directory that is a database' },
      { line: 'stele backup monday.tar', text: 'one file' },
    ],
    access: 'read',
    load: async () => (await import('./commands/copy.ts')).backup,
  },
  {
    name: 'restore',
    group: COPIES,
    summary: 'bring a backup back, into a new directory',
    arguments: [{ name: 'backup', text: 'a .tar file, or a directory that a backup made' }],
    options: {},
    examples: [{ line: 'stele --db data restore monday.tar', text: 'into ./data, which must be empty or new' }],
    access: 'own',
    load: async () => (await import('./commands/copy.ts')).restore,
  },
  {
    name: 'compact',
    group: CARE,
    summary: 'give space back',
    arguments: [],
    options: {},
    examples: [{ line: 'stele compact', text: 'and say how much' }],
    access: 'write',
    load: async () => (await import('./commands/care.ts')).compact,
  },
  {
    name: 'verify',
    group: CARE,
    summary: 'read everything and say what was checked and found',
    arguments: [],
    options: {},
    details: 'Exit code 6 when there is damage. Nothing is changed. Without damage it tells a digest of the content.',
    examples: [{ line: 'stele verify', text: 'pages, log, indexes' }],
    access: 'read',
    load: async () => (await import('./commands/care.ts')).verify,
  },
  {
    name: 'repair',
    group: CARE,
    summary: 'rebuild a damaged database from what is left of it',
    arguments: [],
    options: {
      backup: { value: 'dir', text: 'take what is missing from this backup' },
      'cut-log': { text: 'when the log is damaged in the middle: give up the commits behind' },
    },
    details: 'Commits are lost only with --cut-log, and are named. Originals are kept aside. Exit code 6 when damage is left.',
    examples: [{ line: 'stele repair --backup copies/monday', text: 'with the help of a backup' }],
    access: 'own',
    load: async () => (await import('./commands/care.ts')).repair,
  },
  {
    name: 'stats',
    group: CARE,
    summary: 'print the figures of the database',
    arguments: [],
    options: {},
    details: 'What each means: docs/stats.md.',
    examples: [{ line: 'stele stats', text: 'all of them' }],
    access: 'read',
    load: async () => (await import('./commands/care.ts')).stats,
  },
  {
    name: 'log',
    group: CARE,
    summary: 'show, verify or replay the log of commits',
    arguments: [
      { name: 'action', text: 'show (default), verify, or replay', isOptional: true },
      { name: 'prefix', text: 'show: only what touched this', isOptional: true },
    ],
    options: {
      from: { value: 'n', text: 'show: from this version on' },
      to: { value: 'n', text: 'show, replay: up to this version' },
      limit: { value: 'n', text: 'show: so many commits' },
      ops: { text: 'show: every operation' },
      into: { value: 'dir', text: 'replay: keep what was made in a new directory' },
    },
    details: 'replay takes nothing but the log, makes the entries from it, and compares them with the tree at that version.',
    examples: [
      { line: 'stele log show users --limit 5', text: 'commits that touched users' },
      { line: 'stele log verify', text: 'records, chain and index' },
      { line: 'stele log replay --to 41', text: 'is the tree what the log says?' },
    ],
    access: 'read',
    load: async () => (await import('./commands/log.ts')).log,
  },
  {
    name: 'shell',
    group: TOOLS,
    summary: 'work with a database line by line',
    arguments: [],
    options: {
      'read-only': { text: 'open it for reading, so that others can read too' },
      create: { text: 'make the database when there is none' },
    },
    details:
      'SET, GET, DEL, SCAN, COUNT, TREE and more; .help lists them. The tab key completes paths and shows counts. Lines can be piped in.',
    examples: [
      { line: 'stele shell', text: 'a prompt' },
      { line: `echo 'COUNT users' | stele shell`, text: 'a script' },
    ],
    access: 'own',
    load: async () => (await import('./shell/shell.ts')).shell,
  },
  {
    name: 'bench',
    group: TOOLS,
    summary: 'measure this machine, in a directory that is removed afterwards',
    arguments: [],
    options: {
      seconds: { value: 'time', text: 'how long for each row; default 1s' },
      dir: { value: 'dir', text: 'where the directory is made: on the device to measure; default the temporary directory' },
    },
    examples: [{ line: 'stele bench --dir .', text: 'on this device' }],
    access: 'own',
    load: async () => (await import('./commands/bench.ts')).bench,
  },
];
