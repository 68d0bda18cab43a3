import { useTranslation } from 'react-i18next';
import { useMay } from '../../api/session';
import { Page, Panel } from '../../components/Page';
import { LanguageSwitch, ThemeSwitch } from '../../layout/Switches';
import { Audit } from './Audit';
import { People } from './People';
import { Tokens } from './Tokens';

export function SettingsPage() {
  const { t } = useTranslation();
  const managesPeople = useMay('users.manage');
  const readsAudit = useMay('audit.read');
  return (
    <Page title={t('ui.nav.settings')}>
      <Panel title={t('ui.settings.look')}>
        <div className="aw-stack">
          <div className="aw-actions">
            <span className="aw-soft">{t('ui.language')}</span>
            <LanguageSwitch />
          </div>
          <div className="aw-actions">
            <span className="aw-soft">{t('ui.theme.label')}</span>
            <ThemeSwitch />
          </div>
        </div>
      </Panel>
      <Tokens />
      {managesPeople ? <People /> : null}
      {readsAudit ? <Audit /> : null}
    </Page>
  );
}
