/* Own small line icons: no icon font, no outside package. Always beside a word or an aria-label. */
const PATHS = {
  home: 'M4 11.5 12 5l8 6.5M6.5 10v9h11v-9',
  site: 'M4 20V9l5 3V9l5 3V5h5v15H4Zm4-4h.01M12 16h.01M16 16h.01',
  topology: 'M12 5.5 5.5 17h13L12 5.5ZM12 5.5v.01M5.5 17v.01M18.5 17v.01',
  pilot: 'M9 4h6M10 4v5.5L5.5 18a1.5 1.5 0 0 0 1.4 2h10.2a1.5 1.5 0 0 0 1.4-2L14 9.5V4M8 15h8',
  run: 'M8 5.5v13l10-6.5-10-6.5Z',
  settings: 'M5 7h9m4 0h1M5 17h1m4 0h9M14 4.8v4.4M10 14.8v4.4M5 12h3m4 0h7M8 9.8v4.4',
  help: 'M9.2 9.2A2.9 2.9 0 1 1 13 12c-.7.3-1 .8-1 1.6v.4M12 17.4v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  cross: 'M6.5 6.5l11 11M17.5 6.5l-11 11',
  clock: 'M12 7.5V12l3 2M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17Z',
  busy: 'M12 3.5a8.5 8.5 0 1 0 8.5 8.5M12 3.5a8.5 8.5 0 0 1 6 2.5M18.5 3v3.5H15',
  pause: 'M9 6v12M15 6v12',
  stop: 'M7 7h10v10H7z',
  warn: 'M12 9v4.5M12 16.6v.1M10.7 4.6 3.5 17.2A1.5 1.5 0 0 0 4.8 19.5h14.4a1.5 1.5 0 0 0 1.3-2.3L13.3 4.6a1.5 1.5 0 0 0-2.6 0Z',
  info: 'M12 11v5.5M12 7.6v.1M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17Z',
  plus: 'M12 5.5v13M5.5 12h13',
  trash: 'M5 7h14M10 7V5h4v2M7 7l.8 12h8.4L17 7M10.5 10.5v5M13.5 10.5v5',
  undo: 'M9 7 5 11l4 4M5 11h9a5 5 0 0 1 0 10h-3',
  draft: 'M5 19l1-4L16 5l3 3L9 18l-4 1ZM14 7l3 3',
  mail: 'M4 6.5h16v11H4zM4 7l8 6 8-6',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4',
  moon: 'M19.5 14A8 8 0 0 1 10 4.5 8 8 0 1 0 19.5 14Z',
  screen: 'M4 5h16v11H4zM9 20h6M12 16v4',
  out: 'M14 5H6v14h8M10 12h10M17 9l3 3-3 3',
  table: 'M4 6h16v12H4zM4 10h16M4 14h16M10 6v12',
  up: 'M12 19V6M6 11.5 12 6l6 5.5',
  down: 'M12 5v13M6 12.5 12 18l6-5.5',
  same: 'M6 9.5h12M6 14.5h12',
  right: 'm9 6 6 6-6 6',
  skip: 'M6 6l7 6-7 6M16 6v12',
  copy: 'M9 9h10v11H9zM5 15V4h10',
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      className={name === 'busy' ? 'aw-icon aw-turning' : 'aw-icon'}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.9}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
