// Nothing happens before a person confirms: programs that look into mails open links, too.
const pages = {
  '/verify-email': ['/v1/email-verifications', 'Is this your e-mail address?', 'It is confirmed.'],
  '/change-email': ['/v1/email-changes', 'Use this e-mail address from now on?', 'It is changed.'],
  '/reset-password': ['/v1/password-resets/completions', 'Choose a new password.',
    'It is changed. Sign in with it.'],
  '/accept-invitation': ['/v1/invitations/accept', 'Join the workspace that invited you?',
    'You belong to it now.'],
};
const [address, question, done] = pages[location.pathname];
const token = location.hash.slice(1);
history.replaceState(null, '', location.pathname);

const form = document.forms[0];
const message = document.getElementById('message');
const button = form.querySelector('button');
const choose = document.getElementById('choose');
message.textContent = question;
button.hidden = false;
choose.hidden = location.pathname !== '/reset-password';
form.password.disabled = choose.hidden;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  const body = choose.hidden ? { token } : { token, password: form.password.value };
  try {
    const answer = await fetch(address, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const problem = answer.ok ? null : await answer.json();
    const first = answer.status === 401 && 'Sign in with this address first, then confirm.';
    message.textContent = first ? first : problem ? (problem.errors?.[0]?.detail ?? problem.detail) : done;
    choose.hidden = button.hidden = answer.ok || answer.status === 410;
  } catch {
    message.textContent = 'There was no answer. Try again.';
  }
  button.disabled = false;
});
