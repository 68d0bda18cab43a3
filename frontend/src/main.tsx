import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './theme/base.css';
import './theme/layout.css';
import './theme/parts.css';
import './theme/tables.css';
import './theme/editor.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { startI18n } from './i18n/start';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
startI18n();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
