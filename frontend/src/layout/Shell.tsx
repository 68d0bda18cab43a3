/* Header, navigation and the place of the page; below 48em the navigation moves to the bottom edge. */
import { ActionIcon, Menu } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, NavLink, Outlet, ScrollRestoration, useLocation, useNavigate } from 'react-router';
import { signOut, useMe } from '../api/session';
import { Icon, type IconName } from '../components/Icon';
import { HealthMark } from './HealthMark';
import { LanguageSwitch, ThemeSwitch } from './Switches';

const PLACES: readonly (readonly [string, string, IconName])[] = [
  ['/', 'home', 'home'],
  ['/pilots', 'pilots', 'pilot'],
  ['/runs', 'runs', 'run'],
  ['/sites', 'sites', 'site'],
  ['/topologies', 'topologies', 'topology'],
];
const MORE: typeof PLACES = [
  ['/settings', 'settings', 'settings'],
  ['/help', 'help', 'help'],
];

export function Shell() {
  const { t } = useTranslation();
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const first = useRef(true);

  useEffect(() => {
    // Readers of a screen reader hear that the page has changed; the first page keeps the browser's focus.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [pathname]);

  return (
    <div className="aw-shell">
      <a className="aw-skip" href="#content">
        {t('ui.skip')}
      </a>
      <header className="aw-header">
        <Link to="/" className="aw-brand">
          <img src="/mark.svg" alt="" width={30} height={30} />
          <span>Awase</span>
          <span className="aw-brand-ja" lang="ja">
            合わせ
          </span>
        </Link>
        <div className="aw-header-right">
          <HealthMark />
          <span className="aw-wide">
            <LanguageSwitch />
          </span>
          <span className="aw-wide">
            <ThemeSwitch />
          </span>
          <PersonMenu />
        </div>
      </header>
      <nav className="aw-side" aria-label={t('ui.nav.label')}>
        {PLACES.map((place) => (
          <Place key={place[0]} place={place} />
        ))}
        <div className="aw-side-rule" />
        {MORE.map((place) => (
          <Place key={place[0]} place={place} wide />
        ))}
      </nav>
      <main id="content" ref={main} tabIndex={-1} className="aw-main-area">
        <Outlet />
      </main>
      <ScrollRestoration />
    </div>
  );
}

function Place({ place: [to, key, icon], wide }: { place: (typeof PLACES)[number]; wide?: boolean }) {
  const { t } = useTranslation();
  return (
    <NavLink to={to} end={to === '/'} className={wide ? 'aw-place aw-wide' : 'aw-place'}>
      <Icon name={icon} size={20} />
      <span>{t(`ui.nav.${key}`)}</span>
    </NavLink>
  );
}

function PersonMenu() {
  const { t } = useTranslation();
  const { data: me } = useMe();
  const client = useQueryClient();
  const go = useNavigate();
  if (!me) return null;
  return (
    <Menu position="bottom-end" width={250}>
      <Menu.Target>
        <ActionIcon
          variant="default"
          size={36}
          radius="xl"
          aria-label={t('ui.nav.person', { name: me.user.name })}
        >
          <span aria-hidden="true">{[...me.user.name][0]?.toUpperCase()}</span>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.user.name} · {me.roles.map((role) => t(`ui.role.${role}`)).join(', ')}
        </Menu.Label>
        <Menu.Item leftSection={<Icon name="settings" />} onClick={() => void go('/settings')}>
          {t('ui.nav.settings')}
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="help" />} onClick={() => void go('/help')}>
          {t('ui.nav.help')}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          leftSection={<Icon name="out" />}
          onClick={() => void signOut(client).then(() => go('/sign-in', { replace: true }))}
        >
          {t('ui.nav.sign_out')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
